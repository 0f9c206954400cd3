"""A trial of what a sandbox does, in a throw-away user namespace: tells which of its steps this machine refuses.

The child is a clean interpreter (`trial_child.py`) that goes through STEPS in order and prints one JSON line for each;
the parent writes its id maps as the engine would.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealane_engine import preflight
from sealane_engine.sandbox.ids import IdRange

Access = Callable[[Path, int], bool]

CHILD = Path(__file__).with_name("trial_child.py")
STEPS = {
    "user": "user namespaces",
    "maps": "id maps",
    "namespaces": "namespaces",
    "overlay": "overlay",
    "mounts": "mount calls",
    "proc": "proc",
}
"""The steps, in order, and what each is called for people."""


@dataclass(frozen=True, slots=True)
class Found:
    """(step, error) for each step that was tried; an empty error means that it works."""

    steps: tuple[tuple[str, str], ...]


async def run(where: Path, ids: IdRange, *, rootless: bool) -> Found:
    """Try the steps with an overlay in `where` (an existing folder on the store's file system)."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".sealane-probe-", dir=where))
    except OSError as error:
        return Found((("overlay", f"{where}: {error.strerror}"),))
    try:
        await asyncio.to_thread(_prepare, folder, ids, rootless)
        return await _try(folder, ids, rootless=rootless)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, ids: IdRange, rootless: bool) -> None:
    """Lower, upper, work and target as the store would have them: owned by the step's root."""
    folder.chmod(0o711)
    for name in ("lower/d", "upper", "work", "root", "proc"):
        (folder / name).mkdir(parents=True)
    (folder / "lower/file").write_text("lower\n")
    if not rootless:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, ids.base, ids.base)


async def _try(folder: Path, ids: IdRange, *, rootless: bool) -> Found:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(CHILD), cwd=folder,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    try:
        found = [_read(await process.stdout.readline(), "user")]
        if not found[0][1]:
            found.append(("maps", await _map(process.pid, ids, rootless=rootless)))
        if not found[-1][1]:
            process.stdin.write(b"go\n")
            await process.stdin.drain()
            found += [_read(line, "namespaces") async for line in process.stdout]
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
    return Found(tuple(found))


def _read(line: bytes, step: str) -> tuple[str, str]:
    if not line:
        return step, "the trial ended without an answer"
    step, error = json.loads(line)
    return step, error


async def _map(pid: int, ids: IdRange, *, rootless: bool) -> str:
    """Write the id maps of `pid`; the error, or empty."""
    if not rootless:
        try:
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{pid}/{name}").write_text(f"0 {ids.base} {ids.count}\n")
        except OSError as error:
            return f"{error.filename}: {error.strerror}"
        return ""
    for command, own in (("newuidmap", os.getuid()), ("newgidmap", os.getgid())):
        found = shutil.which(command, path=preflight.search_path())
        if found is None:
            return f"{command} is not installed"
        maps = (0, own, 1, 1, ids.base, min(ids.count, 65_535))
        process = await asyncio.create_subprocess_exec(
            found, str(pid), *(str(n) for n in maps), stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        if process.returncode:
            return said.decode(errors="replace").strip() or f"{command} exited with {process.returncode}"
    return ""
