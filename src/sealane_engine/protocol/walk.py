"""Walks a document: builds the calls that it describes, has the leaves evaluated, and assembles the answer.

Objects are lazy: selecting one only builds a call. What must be evaluated are leaves, the number of objects in a
list, and whether a nullable object exists; all that is known to be needed is evaluated at once, side by side.
The walk itself keeps its own stack, so that a chain may be thousands of fields long.

Two kinds of error: a document that can't be right (unknown field, bad argument) is refused before anything is
evaluated; anything else is an error of its field, which becomes null, or the nearest nullable object above it does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import EngineError, Unsupported
from sealane_engine.protocol import introspect
from sealane_engine.protocol.call import ROOT, Call
from sealane_engine.protocol.coerce import Coercer, variables_of
from sealane_engine.protocol.collect import Collector
from sealane_engine.protocol.document import Inline, parse
from sealane_engine.protocol.failures import DocumentError, graphql_error, refusal
from sealane_engine.protocol.schema import QUERY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.document import Document, Selected, Selection
    from sealane_engine.protocol.ids import IdTable
    from sealane_engine.protocol.resolver import Resolver
    from sealane_engine.protocol.schema import Field, Schema

INTROSPECTION = ("__schema", "__type", "__schemaVersion")


@dataclass(slots=True, eq=False)
class Slot:
    """A place in the answer: `holder[key]`. An error there nulls it, or the nearest place above that may be null."""

    parent: Slot | None
    holder: Any
    key: str | int
    nullable: bool

    def path(self) -> list[str | int]:
        path = []
        slot: Slot | None = self
        while slot and slot.parent:  # the topmost slot is the answer itself
            path.append(slot.key)
            slot = slot.parent
        return path[::-1]

    def clear(self) -> None:
        slot = self
        while not slot.nullable and slot.parent:
            slot = slot.parent
        slot.holder[slot.key] = None


@dataclass(slots=True)
class Pending:
    """A field to evaluate: a leaf, a list of objects or a nullable object."""

    slot: Slot
    call: Call
    field: Field
    selected: Selected
    selections: list[Selection]


async def execute(
    source: str,
    operation_name: str | None,
    variables: Mapping[str, Any] | None,
    *,
    schema: Schema,
    resolver: Resolver,
    client: Client,
    ids: IdTable,
) -> dict[str, Any] | bytes:
    """Run an operation of a document. Answers `{"data": …, "errors": […]}`, or its JSON where that is kept as bytes."""
    try:
        document = parse(source)
        operation = document.operation(operation_name)
        if operation.kind != "query":
            raise DocumentError(
                f"{operation.kind} operations don't exist here: everything is a query",
                position=operation.position,
                reason="no-operation",
            )
        values = variables_of(operation.variables, variables or {}, schema)
        if introspect.alone(operation.selections):
            return introspect.answer(schema, document, operation.selections, values)
        execution = Execution(source, document, values, schema=schema, resolver=resolver, client=client, ids=ids)
        return await execution.run(operation.selections)
    except EngineError as error:
        return refusal(error, source)


class Execution:
    """One operation being run."""

    def __init__(
        self,
        source: str,
        document: Document,
        variables: Mapping[str, Any],
        *,
        schema: Schema,
        resolver: Resolver,
        client: Client,
        ids: IdTable,
    ) -> None:
        self.source = source
        self.document = document
        self.variables = variables
        self.schema = schema
        self.resolver = resolver
        self.client = client
        self.ids = ids
        self.collector = Collector(document, schema, variables)
        self.coercer = Coercer(schema, ids, variables)
        self.errors: list[tuple[int, dict[str, Any]]] = []

    async def run(self, selections: list[Selection]) -> dict[str, Any]:
        answer: dict[str, Any] = {"data": None}
        top = Slot(None, answer, "data", nullable=True)
        await self.evaluate(self.walk(top, None, QUERY, selections))
        if self.errors:
            answer["errors"] = [told for _, told in sorted(self.errors, key=lambda error: error[0])]
        return answer

    def failed(self, slot: Slot, selected: Selected, error: Exception) -> None:
        """Note a field's error, and clear its place."""
        told = graphql_error(error, source=self.source, position=selected.position, path=slot.path())
        self.errors.append((selected.position, told))
        slot.clear()

    def walk(self, slot: Slot, call: Call | None, type_name: str, selections: list[Selection]) -> list[Pending]:
        """Put an object into its place and go through all that is selected below; answers what must be evaluated."""
        pending: list[Pending] = []
        waiting = [(slot, call, type_name, selections)]
        while waiting:
            slot, call, type_name, selections = waiting.pop()
            type_name = self.seen_as(type_name, selections)
            fields = self.collector.fields(selections, type_name)
            holder: dict[str, Any] = dict.fromkeys(fields)
            slot.holder[slot.key] = holder
            for key, selected in fields.items():
                place = Slot(slot, holder, key, nullable=False)
                try:
                    found = self.select(place, call, type_name, selected)
                except DocumentError as error:
                    if error.position < 0:
                        error.position = selected.position
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, it is this field's error
                    self.failed(place, selected, error)
                    continue
                if found is None:
                    continue
                field = found.field
                if field.composite and not (field.type.is_list or place.nullable or field.acts):
                    waiting.append((place, found.call, found.call.type, found.selections))
                else:
                    pending.append(found)
        return pending

    def seen_as(self, type_name: str, selections: list[Selection]) -> str:
        """What an object is to this client: one of a type that it doesn't see is the interface that it asks for."""
        if type_name in self.schema.types:
            return type_name
        asked = [each.condition for each in selections if isinstance(each, Inline) and each.condition]
        return next((each for each in asked if self.schema.kind(each) == "INTERFACE"), type_name)

    def select(self, slot: Slot, call: Call | None, type_name: str, selected: Selected) -> Pending | None:
        """One field: fill its place if that needs no evaluation, else answer what to evaluate."""
        name = selected.name
        if name.startswith("__"):
            slot.holder[slot.key] = self.meta(type_name, selected)
            return None
        field = self.schema.field(type_name, name)
        slot.nullable = not field.type.non_null
        if field.composite != bool(selected.selections):
            raise DocumentError(
                f"field {name!r} of {type_name} answers {field.type}: "
                + ("select fields of it" if field.composite else "nothing can be selected below it"),
                reason="bad-selection",
            )
        args = (
            self.coercer.arguments(selected.args, field.args, f"{type_name}.{name}")
            if selected.args or field.args
            else {}
        )
        if name == "id" and field.is_id:
            slot.holder[slot.key] = self.ids.encode(call or ROOT)
            return None
        if field.loads:
            loaded: Call = args["id"]
            slot.nullable = False  # it is there: the id is known
            made = loaded
        else:
            args, scope = self.resolver.prepare(self.client, type_name, name, args)
            made = Call.make(call, field.type.name, name, args, scope=scope)
        return Pending(slot, made, field, selected, selected.selections or [])

    def meta(self, type_name: str, selected: Selected) -> Any:
        """`__typename`, and introspection among other fields."""
        if selected.name == "__typename":
            return type_name
        if type_name != QUERY or selected.name not in INTROSPECTION:
            raise DocumentError(f"type {type_name!r} has no field {selected.name!r}", reason="unknown-field")
        data = introspect.introspection(self.schema)
        return introspect.project(data, [selected], self.document, self.variables)[selected.key]

    async def evaluate(self, pending: list[Pending]) -> None:
        """Evaluate side by side, and what turns out to be needed below."""
        while len(pending) == 1:  # the usual case needs no task
            pending = await self.resolve(pending[0])
        if pending:
            async with asyncio.TaskGroup() as group:
                for one in pending:
                    group.create_task(self.evaluate([one]))

    async def resolve(self, pending: Pending) -> list[Pending]:
        """Evaluate one field; an error of any kind is noted at its place."""
        slot, call, field = pending.slot, pending.call, pending.field
        try:
            if not field.composite:
                slot.holder[slot.key] = self.leaf(field, await self.resolver.value(self.client, call))
                return []
            if field.type.is_list:
                return self.elements(pending, await self.resolver.elements(self.client, call))
            if await self.resolver.exists(self.client, call):
                return self.walk(slot, call, call.type, pending.selections)
            slot.holder[slot.key] = None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this field's error
            self.failed(slot, pending.selected, error)
        return []

    def elements(self, pending: Pending, count: int | None) -> list[Pending]:
        slot, field = pending.slot, pending.field
        if count is None:
            self.refuse_null(field)
            slot.holder[slot.key] = None
            return []
        item = field.type.item
        found: list[Any] = [None] * count
        slot.holder[slot.key] = found
        below: list[Pending] = []
        for index in range(count):
            place = Slot(slot, found, index, nullable=item is not None and not item.non_null)
            element = pending.call.element(index + 1)
            below += self.walk(place, element, element.type, pending.selections)
        return below

    def leaf(self, field: Field, value: Any) -> Any:
        """A value as JSON; a call where an id is due becomes its id."""
        if value is None:
            self.refuse_null(field)
            return None
        if isinstance(value, (list, tuple)):
            return [self.leaf_item(field, item) for item in value]
        return self.leaf_item(field, value)

    def leaf_item(self, field: Field, value: Any) -> Any:
        if isinstance(value, Call):
            return self.ids.encode(value)
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        raise TypeError(f"{field.owner}.{field.name} answered a {type(value).__name__}")

    def refuse_null(self, field: Field) -> None:
        """Void is always null, whatever the schema says of it."""
        if field.type.non_null and field.type.name != "Void":
            raise Unsupported(
                f"{field.owner}.{field.name} has no value, but {field.type} can't be null", reason="null-value"
            )
