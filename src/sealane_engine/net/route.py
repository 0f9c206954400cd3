"""A way from the engine to a service, for the addresses that name it: what `experimentalServiceHost` gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """A service under its host name. `key` stands for it in names of what is kept.

    `open(port)` starts it, and answers with a port of 127.0.0.1 that leads to the service's for as long as the block runs.
    """

    host: str
    key: str
    open: Callable[[int], AbstractAsyncContextManager[int]]
