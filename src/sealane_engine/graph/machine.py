"""The machine of a nested client: its sandbox, which answers by commands that run in it, as its user.

The engine itself opens nothing of a sandbox: what lies at a path there is archived inside, and unpacked here with the
same distrust as any layer; what is exported goes in as an archive. So an image needs `sh` and `tar` for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, InvalidInput, NotFound
from sealane_engine.sandbox.plan import Command

if TYPE_CHECKING:
    from sealane_engine.sandbox.backend import Process

_ARCHIVE = """cd "$1" && shift && exec tar -cf - "$@" ."""
_ARCHIVE_FILE = """cd "$1" && exec tar -chf - "./$2\""""
_UNPACK = """mkdir -p "$1" && cd "$1" && exec tar -xf -"""
_WIPE = """rm -rf "$1"/* "$1"/.[!.]* "$1"/..?*"""
_FIND_UP = """cd "$1" && while :; do
if test -e "$2"; then case $PWD in /) echo "/$2";; *) echo "$PWD/$2";; esac; exit; fi
test "$PWD" = / && exit; cd ..; done"""
_NOT_FILES = ("proc", "sys", "dev")
_MOST_TEXT = 1 << 20


class Machine:
    """One per step with a session of its own; it is there for as long as the step's command runs."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._command = Command(())
        self._runs = asyncio.Event()

    def started(self, process: Process, command: Command) -> None:
        self._process, self._command = process, command
        self._runs.set()

    def ended(self) -> None:
        self._process = None
        self._runs.set()

    def path(self, path: str) -> str:
        """A path as an absolute one; it goes from the directory that the step's command was started in."""
        if path == "~" or path.startswith("~/"):
            path = dict(self._command.env).get("HOME", "/") + path[1:]
        return posixpath.normpath(posixpath.join("/", self._command.cwd, path))

    def variable(self, name: str) -> str | None:
        """What the step's environment has."""
        return dict(self._command.env).get(name)

    async def ready(self) -> None:
        """Until the command runs: what it was started with is known from then on."""
        await self._runs.wait()

    async def archive(self, path: str, target: Path) -> None:
        """A directory as a tar file; its own entry is `./`."""
        out = tuple(f"--exclude=./{each}" for each in _NOT_FILES) if path == "/" else ()
        if await self._run(_ARCHIVE, path, *out, target=target):
            raise NotFound(f"lstat {path}: no such directory", reason="host-path-not-found", hint="check the path")

    async def archive_file(self, path: str, target: Path) -> None:
        """A file as a tar file with it alone, under its name."""
        folder, name = posixpath.split(path)
        if not await self.is_file(path) or await self._run(_ARCHIVE_FILE, folder, name, target=target):
            raise NotFound(f"stat {name}: no such file", reason="host-path-not-found", hint="check the path")

    async def unpack(self, archive: Path, path: str, *, wipe: bool) -> None:
        """What is in a tar file, into a directory."""
        if wipe:
            await self._run(_WIPE, path)
        code, said = await self.text(_UNPACK, path, source=archive)
        if code:
            raise InvalidInput(
                f"{path} can't be written: {said.strip()[-500:]}", reason="export-failed", hint="check the path"
            )

    async def is_file(self, path: str) -> bool:
        return not await self._run('test -f "$1"', path)

    async def is_directory(self, path: str) -> bool:
        return not await self._run('test -d "$1"', path)

    async def find_up(self, name: str, start: str) -> str | None:
        """The nearest path of that name in a directory or above it."""
        _, said = await self.text(_FIND_UP, start, name)
        return said.rstrip("\n") or None

    async def read(self, path: str) -> bytes:
        """A small file, such as a secret's. Raises NotFound."""
        code, data = await self._read('exec cat "$1"', path)
        if code:
            raise NotFound(
                f"open {path}: no such file or directory", reason="host-path-not-found", hint="check the path"
            )
        return data

    async def said(self, script: str) -> bytes:
        """What a shell's line prints."""
        code, data = await self._read(script)
        if code:
            raise NotFound(
                f"failed to run secret command: exit code {code}",
                reason="secret-not-found",
                hint="run it by hand to see why",
            )
        return data

    async def text(self, script: str, *args: str, source: Path | None = None) -> tuple[int, str]:
        code, data = await self._read(script, *args, source=source)
        return code, data.decode(errors="replace")

    async def _read(self, script: str, *args: str, source: Path | None = None) -> tuple[int, bytes]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        with open(reader, "rb") as answers:  # noqa: ASYNC230 (a pipe, read in a thread)
            try:
                running = await self._start(script, args, writer, source)
            finally:
                os.close(writer)
            data = await asyncio.to_thread(answers.read, _MOST_TEXT)
        return (await running.wait()).code, data

    async def _run(self, script: str, *args: str, target: Path | None = None) -> int:
        with open(target or os.devnull, "wb") as file:  # noqa: ASYNC230 (opened, not written, here)
            running = await self._start(script, args, file.fileno(), None)
            return (await running.wait()).code

    async def _start(self, script: str, args: tuple[str, ...], stdout: int, source: Path | None) -> Process:
        await self.ready()
        if self._process is None:
            raise InvalidInput(
                "the step whose machine was asked has ended", reason="no-machine", hint="ask while its command runs"
            )
        step = self._command
        command = Command(("/bin/sh", "-c", script, "sh", *args), step.env, step.cwd, step.uid, step.gid, step.groups)
        with open(source or os.devnull, "rb") as stdin, contextlib.ExitStack() as stack:  # noqa: ASYNC230
            null = stack.enter_context(open(os.devnull, "wb"))  # noqa: ASYNC230
            try:
                return await self._process.exec(command, stdin=stdin.fileno(), stdout=stdout, stderr=null.fileno())
            except EngineError as error:
                raise InvalidInput(
                    f"the step whose machine was asked has ended: {error.message}", reason="no-machine"
                ) from error
