"""References to types, such as `[String!]!`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sealane_engine.protocol.failures import DocumentError


@dataclass(frozen=True, slots=True)
class TypeRef:
    """`name` is the named type at the core; `item` is the element type of a list, else None."""

    name: str
    non_null: bool = False
    item: TypeRef | None = None

    def __str__(self) -> str:
        return f"{f'[{self.item}]' if self.item else self.name}{'!' if self.non_null else ''}"

    @property
    def is_list(self) -> bool:
        return self.item is not None


@cache
def parse_type(text: str) -> TypeRef:
    """A reference from its text; lists in lists are as deep as schemas are, so recursion is fine here."""
    bare = text.removesuffix("!")
    non_null = len(bare) != len(text)
    if bare.startswith("[") and bare.endswith("]"):
        item = parse_type(bare[1:-1])
        return TypeRef(item.name, non_null, item)
    if not bare.isidentifier():
        raise DocumentError(f"{text!r} is not a type", reason="unknown-type")
    return TypeRef(bare, non_null)
