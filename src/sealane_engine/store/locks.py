"""Locks that end with their holder: flock on a file or directory, taken at once, or waited for by a cancellable child."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from sealane_engine.errors import StoreError


def create_locked(path: Path, *, directory: bool) -> int | None:
    """Make `path` and hold its lock; None when a sweeper took it for dead in the instant between the two."""
    if directory:
        path.mkdir(mode=0o711)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
    else:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with contextlib.suppress(FileNotFoundError):
        ours, there = os.fstat(descriptor), path.stat()
        if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
            return descriptor
    os.close(descriptor)
    return None


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """A descriptor that holds the lock of an existing file or directory, or None: someone holds it, or it's gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if lock_now(descriptor, shared=shared):
        return descriptor
    os.close(descriptor)
    return None


def lock_now(descriptor: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share(descriptor: int) -> None:
    """Take a lock shared, waiting for who has it alone (a reset: milliseconds)."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold the lock of `path` (made if missing). Waiting can be cancelled; a killed holder frees it.

    A lock that is held is waited for by a child process that shares our open file: when it has got the lock it exits
    and the lock stays with us. A thread blocked in flock couldn't be stopped; a killed child can.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not lock_now(descriptor):
            await _wait_for_lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


async def _wait_for_lock(descriptor: int, path: Path) -> None:
    code = "import fcntl; fcntl.flock(0, fcntl.LOCK_EX)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", code, stdin=descriptor)
    try:
        status = await child.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.shield(child.wait())
        raise
    if status != 0:
        raise StoreError(f"waiting for the lock {path} failed (status {status})", reason="lock-failed")
