"""The range of user ids that steps run under, and the shift between an id inside a step and on the host."""

from __future__ import annotations

from dataclasses import dataclass

from sealane_engine.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class IdRange:
    """`count` ids from `base`: id n in a step is id base + n on the engine's side (and in the store's files)."""

    base: int
    count: int = 65_536

    def outer(self, inner: int) -> int:
        """The engine's id of a step's id; ids from `count` on are refused."""
        if not 0 <= inner < self.count:
            raise InvalidInput(
                f"user or group id {inner} is outside the range of a step (0 to {self.count - 1})",
                reason="id-out-of-range",
                hint="use a smaller id",
            )
        return self.base + inner

    def inner(self, outer: int) -> int:
        """The step's id of a file's owner; an owner outside the range reads as nobody (65534)."""
        inner = outer - self.base
        return inner if 0 <= inner < self.count else 65_534


ROOT_RANGE = IdRange(0x7000_0000)
"""As root: high, so that it is no user's subuid range (100000 on is)."""

ROOTLESS_RANGE = IdRange(1)
"""In the outer user namespace of a rootless engine: 0 is the user, 1 on are the user's subuids."""
