"""What a chain of API calls means, in memory: containers and directories as files by path, commands as records."""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Chain = tuple["Link", ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One field of a chain, with its arguments; an argument that is an object is its id."""

    name: str
    args: tuple[tuple[str, Any], ...] = ()

    def get(self, name: str, default: Any = None) -> Any:
        return dict(self.args).get(name, default)


@dataclass(frozen=True, slots=True)
class Step:
    """One command that was asked for, with what it would have seen."""

    args: tuple[str, ...]
    image: str
    env: Mapping[str, str]
    services: tuple[str, ...]
    files: Mapping[str, str]
    workdir: str
    any_exit: bool
    secrets: tuple[str, ...] = ()
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command does: the files it leaves are by absolute path."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """A container, directory, file or service. A directory's files are relative; a container's absolute."""

    kind: str = "Query"
    files: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    services: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    secrets: tuple[str, ...] = ()
    last: Answer = Answer()
    text: str = ""


class FailedError(Exception):
    """A command that had to succeed and did not, or a field's own error."""

    def __init__(self, message: str, args: tuple[str, ...] = (), answer: Answer | None = None) -> None:
        super().__init__(message)
        self.command = args
        self.answer = answer


class World:
    """Evaluates chains. `answer` says what a step does; `load` finds the chain of an id."""

    def __init__(self, answer: Callable[[Step], Answer | None], load: Callable[[str], Chain]) -> None:
        self.answer = answer
        self.load = load
        self.builds: Answer = Answer()
        self.broken_services: dict[str, str] = {}
        self.broken_images: dict[str, str] = {}
        self._known: dict[Chain, State] = {}

    def state(self, chain: Chain) -> State:
        """What a chain is, each prefix evaluated once. Raises FailedError."""
        if not chain:
            return State()
        if chain not in self._known:
            self._known[chain] = self._apply(self.state(chain[:-1]), chain[-1])
        return self._known[chain]

    def object(self, identifier: str) -> State:
        return self.state(self.load(identifier))

    def _apply(self, before: State, link: Link) -> State:
        handler = _FIELDS.get(link.name)
        if handler is None:
            raise FailedError(f"the recording engine has no {before.kind}.{link.name}")
        return handler(self, before, link)

    def leaf(self, state: State, link: Link) -> Any:
        handler = _LEAVES.get(link.name)
        if handler is None:
            raise FailedError(f"the recording engine has no {state.kind}.{link.name}")
        return handler(state, link)

    def base(self, before: State, link: Link) -> State:
        address = link.get("address")
        if address in self.broken_images:
            raise FailedError(self.broken_images[address])
        return replace(before, image=address)

    def run(self, before: State, link: Link) -> State:
        args = tuple(link.get("args", ()))
        for alias, _ in before.services:
            if alias in self.broken_services:
                raise FailedError(self.broken_services[alias])
        any_exit = link.get("expect") == "ANY"
        names = tuple(alias for alias, _ in before.services)
        step = Step(args, before.image, before.env, names, before.files, before.workdir, any_exit, before.secrets)
        answer = self.answer(step) or Answer()
        if answer.exit_code and not any_exit:
            raise FailedError(f"exit code: {answer.exit_code}", args, answer)
        files = {**before.files, **answer.files}
        for name, text in (("redirectStdout", answer.stdout), ("redirectStderr", answer.stderr)):
            if link.get(name):
                files[link.get(name)] = text
        return replace(before, files=files, last=answer)

    def build(self, before: State, _link: Link) -> State:
        if self.builds.exit_code:
            raise FailedError(f"exit code: {self.builds.exit_code}", ("/bin/sh", "-c", "RUN"), self.builds)
        return State("Container", {f"/app/{path}": text for path, text in before.files.items()}, image="Dockerfile")


def _place(state: State, path: str) -> str:
    if state.kind == "Directory":
        return posixpath.normpath(path).lstrip("/").removeprefix("./")
    return posixpath.normpath(posixpath.join(state.workdir, path))


def _with_text(state: State, path: str, text: str) -> State:
    return replace(state, files={**state.files, _place(state, path): text})


def _within(files: Mapping[str, str], folder: str) -> dict[str, str]:
    prefix = "" if folder in {"", ".", "/"} else folder.rstrip("/") + "/"
    if folder == "/":
        prefix = "/"
    return {path.removeprefix(prefix): text for path, text in files.items() if path.startswith(prefix)}


def _matches(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(path, p) or path == p or path.startswith(p.rstrip("/*") + "/") for p in patterns)


def _merged(world: World, state: State, link: Link) -> State:
    """Both withDirectory and its mounted form."""
    source = world.object(link.get("directory", link.get("source")))
    base = _place(state, link.get("path"))
    files = dict(state.files)
    include, exclude = link.get("include", []), link.get("exclude", [])
    for path, text in source.files.items():
        if (include and not _matches(path, include)) or _matches(path, exclude):
            continue
        joined = posixpath.join(base, path)
        files[joined if state.kind == "Container" else joined.removeprefix("./").lstrip("/")] = text
    return replace(state, files=files)


def _file(_world: World, state: State, link: Link) -> State:
    path = _place(state, link.get("path"))
    if path not in state.files:
        raise FailedError(f"lstat {path}: no such file or directory")
    return State("File", text=state.files[path])


def _without(_world: World, state: State, link: Link) -> State:
    gone = _place(state, link.get("path"))
    return replace(state, files={p: t for p, t in state.files.items() if p != gone and not p.startswith(gone + "/")})


def _directory(_world: World, state: State, link: Link) -> State:
    if not link.args:
        return State("Directory")
    return State("Directory", _within(state.files, _place(state, link.get("path"))))


def _filtered(_world: World, state: State, link: Link) -> State:
    include, exclude = link.get("include", []), link.get("exclude", [])
    kept = {p: t for p, t in state.files.items() if (not include or _matches(p, include)) and not _matches(p, exclude)}
    return replace(state, files=kept)


def _put_file(world: World, state: State, link: Link) -> State:
    return _with_text(state, link.get("path"), world.object(link.get("source")).text)


def _changes(world: World, state: State, link: Link) -> State:
    """What was added or changed; what was removed leaves no trace."""
    before = world.object(link.get("from")).files
    return State("Changeset", {path: text for path, text in state.files.items() if before.get(path) != text})


def _variable(_world: World, state: State, link: Link) -> State:
    return replace(state, env={**state.env, link.get("name"): link.get("value")})


def _binding(_world: World, state: State, link: Link) -> State:
    return replace(state, services=(*state.services, (link.get("alias"), link.get("service"))))


def _same(_world: World, state: State, _link: Link) -> State:
    return state


_FIELDS: dict[str, Callable[[World, State, Link], State]] = {
    "container": lambda _w, _s, _l: State("Container"),
    "cacheVolume": lambda _w, _s, _l: State("CacheVolume"),
    "directory": _directory,
    "file": _file,
    "filter": _filtered,
    "changes": _changes,
    "layer": lambda _w, s, _l: replace(s, kind="Directory"),
    "from": World.base,
    "withNewFile": lambda _w, s, link: _with_text(s, link.get("path"), link.get("contents")),
    "withFile": _put_file,
    "withMountedFile": _put_file,
    "withDirectory": _merged,
    "withMountedDirectory": _merged,
    "withoutFile": _without,
    "withoutDirectory": _without,
    "withEnvVariable": _variable,
    "withWorkdir": lambda _w, s, link: replace(s, workdir=_place(s, link.get("path"))),
    "withServiceBinding": _binding,
    "withExec": World.run,
    "dockerBuild": World.build,
    "asService": lambda _w, _s, _l: State("Service"),
    "asTarball": lambda _w, _s, _l: State("File", text="a tarball"),
    "withDockerHealthcheck": _same,
    "withExposedPort": _same,
    "secret": lambda _w, _s, _l: State("Secret"),
    "setSecret": lambda _w, _s, _l: State("Secret"),
    "withSecretVariable": lambda _w, s, link: replace(s, secrets=(*s.secrets, link.get("name"))),
    "withMountedCache": _same,
    "withUser": _same,
    "withEntrypoint": _same,
    "withLabel": _same,
    "withAnnotation": _same,
    "withMountedSecret": _same,
}


def _entries(state: State, _link: Link) -> list[str]:
    return sorted({path.split("/")[0] + ("/" if "/" in path else "") for path in state.files})


def _glob(state: State, link: Link) -> list[str]:
    """`**` is everything, folders with a slash at their end; other patterns as the shell's."""
    pattern = link.get("pattern")
    folders = {p[: i + 1] for p in state.files for i, c in enumerate(p) if c == "/"}
    return sorted(p for p in {*state.files, *folders} if pattern == "**" or fnmatch.fnmatch(p, pattern))


def _digest(state: State, _link: Link) -> str:
    content = repr(sorted(state.files.items())) + state.text
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


_LEAVES: dict[str, Callable[[State, Link], Any]] = {
    "exitCode": lambda s, _l: s.last.exit_code,
    "stdout": lambda s, _l: s.last.stdout,
    "stderr": lambda s, _l: s.last.stderr,
    "contents": lambda s, _l: s.text,
    "size": lambda s, _l: len(s.text),
    "entries": _entries,
    "glob": _glob,
    "isEmpty": lambda s, _l: not s.files,
    "entrypoint": lambda _s, _l: ["dumb-init", "--"],
    "digest": _digest,
    "imageRef": lambda s, _l: f"{s.image}@sha256:{hashlib.sha256(s.image.encode()).hexdigest()}",
    "platform": lambda _s, _l: "linux/amd64",
    "defaultArgs": lambda _s, _l: ["serve"],
}
