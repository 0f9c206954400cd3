"""What a pipeline holds between its commands: a chain of calls that nobody has asked the session for yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane.cli import selection
from sealane.cli.output import result_text
from sealane.cli.schema import Ref, Type, Types
from sealane.errors import UsageError

if TYPE_CHECKING:
    from sealane.cli.schema import Function
    from sealane.cli.wire import Session


_ROOT = Ref("Query", optional=False)


@dataclass(frozen=True, slots=True)
class State:
    """Calls from the root, each with its arguments, and the type of what the last one answers."""

    calls: tuple[selection.Selection, ...] = ()
    returns: Ref = _ROOT

    def owner(self, types: Types) -> Type | None:
        """The type whose functions may follow."""
        return types.provider(self.returns) if self.calls else types.root

    def function(self, types: Types, name: str) -> Function:
        """The function of that name that may follow. Raises UsageError (`unknown-function`)."""
        owner = self.owner(types)
        if owner is None:
            raise UsageError(
                f"{self.calls[-1][1]!r} answers a {types.display(self.returns)}, which has no function {name!r}",
                reason="unknown-function",
            )
        found = owner.function(name)
        if found is None:
            raise UsageError(f'no function "{name}" in type "{owner.name}"', reason="unknown-function")
        return found

    def call(self, function: Function, arguments: str) -> State:
        text = f"{function.name}({arguments})" if arguments else function.name
        return State((*self.calls, (text, function.name)), function.returns)

    def is_object(self, types: Types) -> bool:
        return types.provider(self.returns) is not None

    def value(self, types: Types, session: Session) -> Any:
        """What the session answers: a scalar, or the id of an object."""
        if not self.calls:
            raise UsageError("there is nothing to call", reason="nothing-to-call")
        leaf = selection.leaf(types, self.returns) if self.is_object(types) else []
        answer = selection.ask(session, [*self.calls, *leaf])
        return answer["id"] if isinstance(answer, dict) and answer.keys() == {"id"} else answer

    def text(self, types: Types, session: Session) -> str:
        """The answer as text, as `call` prints it."""
        return result_text(types, self.returns, self.value(types, session))
