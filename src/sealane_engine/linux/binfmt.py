"""binfmt_misc: which program the kernel starts for executables that it can't run itself.

From Linux 6.7 on each user namespace has one of its own; before, there is one for the machine. What is registered lasts
as long as the file system is mounted somewhere, or a descriptor of its mount is open.
"""

from __future__ import annotations

import os

from sealane_engine.linux import mounts


def mount() -> int:
    """A detached mount of the current user namespace's."""
    return mounts.new("binfmt_misc", [])


def register(mounted: int, line: str) -> None:
    """`line` as the kernel's documentation has it: `:name:M:offset:magic:mask:interpreter:flags`."""
    _write(mounted, "register", line)


def remove(mounted: int, name: str) -> None:
    _write(mounted, name, "-1")


def names(mounted: int) -> list[str]:
    """What is registered."""
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mounted)
    try:
        return [name for name in os.listdir(directory) if name not in ("register", "status")]
    finally:
        os.close(directory)


def _write(mounted: int, name: str, text: str) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=mounted)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
