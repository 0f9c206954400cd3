"""An engine that runs nothing: it speaks the session protocol, records every request and answers from memory."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

from sealane.testing.world import Answer, FailedError, Link, State, Step, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagger

    from sealane.testing.world import Chain

TOKEN = "recording"  # noqa: S105 - guards nothing
_VARIABLES = ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN")
# Reports of linters with nothing in them.
_CLEAN = {
    "bandit": {"bandit-report.json": '{"results": []}'},
    "complexipy": {"complexipy-report.sarif": '{"runs": []}'},
    "jscpd": {"jscpd-report.json": '{"statistics": {"total": {"percentage": 0}}, "duplicates": []}'},
}
_IDS = {"id", "sync", "start", "stop"}


class RecordingEngine:
    """Use as an async context manager: inside it `dagger.dag` talks to this engine.

    `steps` are the commands asked for, each once, in the order in which they were first needed; `queries` is every
    request's text; `baggage` the W3C baggage of each.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.queries: list[str] = []
        self.baggage: list[str] = []
        self._rules: list[tuple[tuple[str, ...], Answer]] = []
        self._chains: dict[str, Chain] = {}
        self._world = World(self._answer, self._chains.__getitem__)
        self._stage = ""
        self._serving: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    # What a test says

    def on(
        self,
        *words: str,
        exit_code: int = 0,
        stdout: str = "",
        stderr: str = "",
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Commands with all of `words` among their arguments (whole, or as the end of a path) do this; the newest wins."""
        self._rules.insert(0, (words, Answer(exit_code, stdout, stderr, files or {})))

    def on_linters(self) -> None:
        """The linters that leave or print a report find nothing."""
        for tool, report in _CLEAN.items():
            self.on(tool, files={f"/reports/{name}": text for name, text in report.items()})
        self.on("pylint", stdout='{"messages": []}')
        for tool in ("eslint", "hadolint", "actionlint", "zizmor"):
            self.on(tool, stdout="[]")
        self.on("shellcheck", stdout='{"comments": []}')

    def on_build(self, *, exit_code: int, stderr: str = "") -> None:
        """A build of a Dockerfile fails like this."""
        self._world.builds = Answer(exit_code, "", stderr)

    def on_service(self, alias: str, message: str) -> None:
        """A service bound as `alias` never becomes healthy: who is bound to it gets this error."""
        self._world.broken_services[alias] = message

    def on_image(self, address: str, message: str) -> None:
        """A base image can't be had: what starts from it gets this error."""
        self._world.broken_images[address] = message

    def directory(self, files: Mapping[str, str]) -> dagger.Directory:
        """A directory with these files, by relative path."""
        from dagger import dag

        made = dag.directory()
        for path, text in files.items():
            made = made.with_new_file(path, text)
        return made

    async def files(self, directory: dagger.Directory) -> dict[str, str]:
        """What a directory holds."""
        return dict(self._world.object(await directory.id()).files)

    # What the client sees

    def _answer(self, step: Step) -> Answer | None:
        self.steps.append(replace(step, stage=self._stage))
        for words, answer in self._rules:
            if all(any(arg == word or arg.endswith(f"/{word.lstrip('/')}") for arg in step.args) for word in words):
                return answer
        return None

    async def __aenter__(self) -> Self:
        import dagger

        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            stack.push_async_callback(server.wait_closed)
            stack.push_async_callback(self._hang_up)
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            before = {name: os.environ.get(name) for name in _VARIABLES}
            stack.callback(_restore, before)
            os.environ.update(zip(_VARIABLES, (str(port), TOKEN), strict=True))
            await stack.enter_async_context(dagger.connection())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _hang_up(self) -> None:
        """End what a client left open."""
        serving = tuple(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            while request := await _request(reader):
                headers, body = request
                reply = json.dumps(self.reply(json.loads(body)["query"], headers.get("baggage", ""))).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(reply) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._serving.discard(task)

    def reply(self, document: str, baggage: str = "") -> dict[str, Any]:
        """The answer to one GraphQL document."""
        if "__schema" in document:
            return _introspection()
        from graphql import parse

        self.queries.append(document)
        self.baggage.append(baggage)
        self._stage = baggage.removeprefix("sealane.stage=")
        try:
            operation: Any = parse(document, no_location=True).definitions[0]
            return {"data": self._select((), operation.selection_set)}
        except KeyError as error:
            return {"errors": [{"message": f"unknown id {error}"}]}
        except FailedError as error:
            return {"errors": [_error(error)]}

    def _select(self, chain: Chain, selections: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for node in selections.selections:
            if node.kind == "inline_fragment":
                found |= self._select(chain, node.selection_set)
                continue
            name = node.alias.value if node.alias else node.name.value
            link = Link(node.name.value, tuple((a.name.value, _literal(a.value)) for a in node.arguments or ()))
            if node.selection_set:
                after = self._chains[link.get("id")] if link.name == "node" else (*chain, link)
                found[name] = self._select(after, node.selection_set)
            else:
                found[name] = self._leaf(chain, link)
        return found

    def _leaf(self, chain: Chain, link: Link) -> Any:
        if link.name == "version":
            return "v0.21.8"
        if link.name in _IDS:
            if link.name != "id":
                self._world.state(chain)
            identifier = sha256(repr(chain).encode()).hexdigest()
            self._chains[identifier] = chain
            return identifier
        return self._world.leaf(self._world.state(chain), link)


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _introspection() -> dict[str, Any]:
    text = resources.files("sealane_engine.protocol").joinpath("data", "introspection.json").read_text()
    reply: dict[str, Any] = json.loads(text[text.index("{") :])  # a digest stands before it
    return reply


def _literal(node: Any) -> Any:
    """A GraphQL literal as a value; lists as tuples, since a chain is a key."""
    match node.kind:
        case "list_value":
            return tuple(_literal(value) for value in node.values or ())
        case "object_value":
            return tuple((field.name.value, _literal(field.value)) for field in node.fields or ())
        case "int_value":
            return int(node.value)
        case "null_value":
            return None
        case _:
            return node.value


def _error(error: FailedError) -> dict[str, Any]:
    told: dict[str, Any] = {"message": str(error)}
    if error.answer is not None:
        answer = error.answer
        told["extensions"] = {
            "_type": "EXEC_ERROR",
            "cmd": list(error.command),
            "exitCode": answer.exit_code,
            "stdout": answer.stdout,
            "stderr": answer.stderr,
        }
    return told


async def _request(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes] | None:
    """One request's headers and body; None at the end of the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return headers, await reader.readexactly(int(headers.get("content-length", "0")))


__all__ = ["Answer", "FailedError", "RecordingEngine", "State", "Step"]
