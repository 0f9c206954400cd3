"""Which fields a selection set asks for, for an object of a known type: fragments opened, same keys merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealane_engine.protocol.document import Inline, Selected, Spread, Variable
from sealane_engine.protocol.failures import DocumentError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.protocol.document import Document, Selection
    from sealane_engine.protocol.schema import Schema

FIELD_LIMIT = 100_000
"""Fragments that use others several times grow a document exponentially: so many fields are enough for anyone."""


class Collector:
    """Opens the selections of one operation."""

    def __init__(self, document: Document, schema: Schema, variables: Mapping[str, Any]) -> None:
        self.fragments = document.fragments
        self.schema = schema
        self.variables = variables
        self.count = 0

    def fields(self, selections: list[Selection], type_name: str) -> dict[str, Selected]:
        """The fields by their key in the answer, in the document's order."""
        found: dict[str, Selected] = {}
        visited: set[str] = set()
        waiting = selections[::-1]
        while waiting:
            selection = waiting.pop()
            if selection.directives and not self.included(selection):
                continue
            self.count += 1
            if self.count > FIELD_LIMIT:
                raise DocumentError(
                    f"the document selects more than {FIELD_LIMIT:,} fields", reason="document-too-large"
                )
            if isinstance(selection, Selected):
                there = found.get(selection.key)
                found[selection.key] = merged(there, selection) if there else selection
            elif isinstance(selection, Inline):
                if not selection.condition or self.applies(selection.condition, type_name, selection.position):
                    waiting.extend(reversed(selection.selections))
            elif selection.name not in visited:
                visited.add(selection.name)
                waiting.extend(reversed(self.opened(selection, type_name)))
        return found

    def opened(self, spread: Spread, type_name: str) -> list[Selection]:
        fragment = self.fragments.get(spread.name)
        if fragment is None:
            raise DocumentError(
                f"there is no fragment {spread.name!r}",
                position=spread.position,
                reason="unknown-fragment",
                hint=nearest(spread.name, self.fragments),
            )
        return fragment.selections if self.applies(fragment.condition, type_name, fragment.position) else []

    def applies(self, condition: str, type_name: str, position: int) -> bool:
        try:
            self.schema.kind(condition)
        except DocumentError as error:
            error.position = position
            raise
        return self.schema.implements(type_name, condition)

    def included(self, selection: Selection) -> bool:
        """`@include` and `@skip`; nothing else stands in a document."""
        wanted = True
        for directive in selection.directives:
            if directive.name not in {"include", "skip"}:
                raise DocumentError(
                    f"there is no directive @{directive.name} for fields",
                    position=directive.position,
                    reason="unknown-directive",
                )
            value = directive.args.get("if")
            if isinstance(value, Variable):
                value = self.variables.get(value.name)
            if not isinstance(value, bool):
                raise DocumentError(
                    f"@{directive.name} needs if: true or false", position=directive.position, reason="bad-value"
                )
            wanted = wanted and value == (directive.name == "include")
        return wanted


def merged(there: Selected, more: Selected) -> Selected:
    """The same field asked for twice under one key: both its selections."""
    if there.name != more.name or there.args != more.args:
        raise DocumentError(
            f"{there.key!r} stands for two different fields: give one an alias",
            position=more.position,
            reason="conflicting-fields",
        )
    if there.selections is None or more.selections is None:
        return there
    both = [*there.selections, *more.selections]
    return Selected(there.key, there.name, there.args, (), there.position, both)
