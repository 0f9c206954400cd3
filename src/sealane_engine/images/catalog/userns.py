"""Run a command of the host as root of a user namespace that is mapped to the steps' ids: never as the host's root.

Works as real root and as id 0 of an outer user namespace: in both the engine may write the child's id maps itself.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.sandbox.ids import IdRange

CHILD = Path(__file__).with_name("userns_child.py")


async def run(
    args: tuple[str, ...], ids: IdRange, *, env: Mapping[str, str], cwd: Path, emulator: str = ""
) -> tuple[int, str]:
    """Run `args` to its end; its exit code and its output (both streams). Killed when the caller is cancelled.

    `emulator` is a line for the namespace's own binfmt_misc, or empty.

    Raises HostError when the kernel gives no user namespace.
    """
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(CHILD), str(ready_write), str(go_read), emulator, *args,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=dict(env), cwd=cwd, pass_fds=(ready_write, go_read),
        )  # fmt: skip
        os.close(ready_write)
        ready_write = -1
        try:
            refused = await asyncio.to_thread(os.read, ready_read, 4096)
            if refused:
                raise _no_namespace(refused.decode())
            _map(process.pid, ids)
            os.write(go_write, b"1")
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    finally:
        for fd in (ready_read, ready_write, go_read, go_write):
            if fd >= 0:
                os.close(fd)
    return process.returncode or 0, output.decode(errors="replace")


def _map(pid: int, ids: IdRange) -> None:
    line = f"0 {ids.base} {ids.count}\n"
    try:
        Path(f"/proc/{pid}/uid_map").write_text(line)
        Path(f"/proc/{pid}/gid_map").write_text(line)
    except OSError as error:
        raise _no_namespace(f"writing the id map {line.strip()!r}: {error.strerror}") from error


def _no_namespace(detail: str) -> HostError:
    return HostError(
        f"no user namespace for building a base image: {detail}",
        reason="no-user-namespace",
        hint="run `sealane doctor`, which says what this machine must allow",
    )
