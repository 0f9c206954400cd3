"""A node of a client's chain: a field called on a receiver with canonical arguments. What an id names.

Canonical: sorted by name, defaults and nulls dropped, enums by their first name, lists as tuples, objects as the
Call that makes them. `call.arguments()` answers the given ones; `Schema.arguments(call)` fills in the defaults.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from hashlib import sha256
from typing import Any

from sealane_engine.errors import InvalidInput

QUERY = "Query"
Args = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call:
    """`type` is the type answered (of an element, for lists). `nth` counts elements of a list from 1; 0 is the whole.

    `scope` tells calls apart that look the same but must not share a result, such as secrets of two clients.
    Two calls are equal if their digests are.
    """

    receiver: Call | None
    type: str
    field: str
    args: Args = ()
    nth: int = 0
    scope: str = ""
    digest: str = dataclass_field(init=False, default="")

    def __post_init__(self) -> None:
        content = [
            self.receiver.digest if self.receiver else "",
            self.type,
            self.field,
            [[name, plain(value)] for name, value in self.args],
            self.nth,
            self.scope,
        ]
        text = json.dumps(content, separators=(",", ":"))
        object.__setattr__(self, "digest", f"sha256:{sha256(text.encode()).hexdigest()}")

    @classmethod
    def make(
        cls, receiver: Call | None, type_name: str, name: str, args: Mapping[str, Any] | None = None, *, scope: str = ""
    ) -> Call:
        """A call from arguments as a dictionary, which must be canonical values but may be in any order."""
        return cls(receiver, type_name, name, tuple(sorted(args.items())) if args else (), 0, scope)

    @property
    def owner(self) -> str:
        """The type that has the field."""
        return self.receiver.type if self.receiver else QUERY

    def arguments(self) -> dict[str, Any]:
        """The arguments that were given and aren't the default."""
        return dict(self.args)

    def element(self, nth: int) -> Call:
        """The nth element, from 1, of the list that this call answers."""
        return Call(self.receiver, self.type, self.field, self.args, nth, self.scope)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        nth = f"[{self.nth}]" if self.nth else ""
        return f"<Call {self.owner}.{self.field}{nth} {self.type} {self.digest[7:19]}>"


ROOT = Call(None, QUERY, "")
"""What the id of Query names; as a receiver, Query is None."""


def plain(value: Any) -> Any:
    """A canonical value as JSON: a call by its digest."""
    if isinstance(value, Call):
        return {"$call": value.digest}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in sorted(value)}
    return value


def operands(call: Call) -> Iterable[Call]:
    """The calls that a call is made of: its receiver, and the objects among its arguments."""
    if call.receiver:
        yield call.receiver
    waiting: list[Any] = [value for _, value in call.args]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Call):
            yield value
        elif isinstance(value, (tuple, list)):
            waiting.extend(value)
        elif isinstance(value, Mapping):
            waiting.extend(value.values())


def in_order(call: Call) -> list[Call]:
    """A call and all it is made of, operands first, each once. Chains may be thousands long: no recursion."""
    done: dict[str, Call] = {}
    waiting = [call]
    while waiting:
        top = waiting[-1]
        missing = [operand for operand in operands(top) if operand.digest not in done]
        if missing:
            waiting.extend(missing)
        else:
            waiting.pop()
            done[top.digest] = top
    return list(done.values())


def rebuilt(call: Call, replaced: Mapping[str, Call]) -> Call:
    """A call in whose making every call that `replaced` has (by digest) is another one."""
    made: dict[str, Call] = {}
    for one in in_order(call):
        if one.digest in replaced:
            made[one.digest] = replaced[one.digest]
            continue
        args = tuple((name, _swapped(value, made)) for name, value in one.args)
        receiver = made[one.receiver.digest] if one.receiver else None
        made[one.digest] = Call(receiver, one.type, one.field, args, one.nth, one.scope)
    return made[call.digest]


def _swapped(value: Any, made: Mapping[str, Call]) -> Any:
    if isinstance(value, Call):
        return made[value.digest]
    if isinstance(value, (tuple, list)):
        return tuple(_swapped(item, made) for item in value)
    if isinstance(value, Mapping):
        return {key: _swapped(item, made) for key, item in value.items()}
    return value


def dump(call: Call) -> list[Any]:
    """A call with all it is made of, as JSON that outlives the session: `load` makes the same call of it."""
    return [
        [
            one.digest,
            one.receiver.digest if one.receiver else "",
            one.type,
            one.field,
            [[name, plain(value)] for name, value in one.args],
            one.nth,
            one.scope,
        ]
        for one in in_order(call)
    ]


def load(data: list[Any]) -> Call:
    """The call that `dump` wrote; every digest is computed anew and must agree."""
    made: dict[str, Call] = {}
    call = ROOT
    for digest, receiver, type_name, name, args, nth, scope in data:
        values = tuple((key, revived(value, made)) for key, value in args)
        call = Call(made[receiver] if receiver else None, type_name, name, values, nth, scope)
        if call.digest != digest:
            raise InvalidInput(f"a stored call says that it is {digest}, but is {call.digest}", reason="bad-id")
        made[digest] = call
    return call


def revived(value: Any, made: Mapping[str, Call]) -> Any:
    if isinstance(value, dict):
        if "$call" in value:
            return made[value["$call"]]
        return {key: revived(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(revived(item, made) for item in value)
    return value
