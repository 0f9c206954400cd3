"""What the application of a layer must know of the layers below it."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class LowerEntry(Protocol):
    """What is known of a file in the layers below (`store.view.Entry`)."""

    @property
    def kind(self) -> str: ...
    @property
    def mode(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def mtime_ns(self) -> int: ...


class Lower(Protocol):
    """The layers below (`store.view.TreeView`). Paths are real: no component but the last is a link."""

    def lstat(self, path: str) -> LowerEntry | None: ...
    def listdir(self, path: str) -> list[str]: ...
    def readlink(self, path: str) -> str: ...
    def open(self, path: str) -> BinaryIO: ...


class Nothing:
    """Below the first layer."""

    def lstat(self, path: str) -> LowerEntry | None:  # noqa: ARG002
        return None

    def listdir(self, path: str) -> list[str]:  # noqa: ARG002
        return []

    def readlink(self, path: str) -> str:
        raise FileNotFoundError(path)

    def open(self, path: str) -> BinaryIO:
        raise FileNotFoundError(path)
