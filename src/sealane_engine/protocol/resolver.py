"""What the protocol asks of the room behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sealane_engine.protocol.call import Call
    from sealane_engine.protocol.client import Client


class Resolver(Protocol):
    """Evaluates calls. Every method may raise an EngineError, which becomes an error of the field asked for.

    A call's `type` is the type of what it answers: `String` for `stdout`, `ID` for `sync`, `EnvVariable` for each of
    `envVariables`. The receiver of a field of a list's element is the element's call, with `nth` set.
    """

    def prepare(self, client: Client, owner: str, field: str, args: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Before a call is made of a field of type `owner`: its arguments, perhaps replaced, and its scope."""
        ...

    async def value(self, client: Client, call: Call) -> Any:
        """A scalar, an enum's member name, a list of them, or None. For a field of type ID: a Call, whose id is answered."""
        ...

    async def elements(self, client: Client, call: Call) -> int | None:
        """How many objects a field answers; None for null."""
        ...

    async def exists(self, client: Client, call: Call) -> bool:
        """Whether a nullable field answers an object."""
        ...
