"""A module's types as the session describes them: objects, functions, arguments, enums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sealane.cli.wire import Session
from sealane.errors import QueryFailed
from sealane_engine.modules.names import kebab

TYPE_DEFS = """
fragment R on TypeDef { name optional }
fragment F on Function {
  name description sourceModuleName returnType { ...R }
  args { name description defaultValue defaultPath ignore typeDef { ...R } }
}
query TypeDefs($hideCore: Boolean) {
  typeDefs: currentTypeDefs(returnAllTypes: true, hideCore: $hideCore) {
    name kind optional
    asObject { name description sourceModuleName constructor { ...F } functions { ...F } fields { name description typeDef { ...R } } }
    asScalar { name description }
    asEnum { name description members { name description } }
    asInterface { name description sourceModuleName functions { ...F } }
    asInput { name }
    asList { elementTypeDef { ...R } }
  }
}
"""

# functions that only SDKs call, or that take what no flag can give
_HIDDEN: Mapping[str, frozenset[str]] = {
    "Query": frozenset(
        [
            "_builtinContainer",
            "generatedCode",
            "currentFunctionCall",
            "currentModule",
            "typeDef",
            "sourceMap",
            "function",
            "cacheVolume",
            "setSecret",
            "with",
            "pipeline",
        ]
    ),
    "Module": frozenset(("withDescription", "withObject", "withInterface", "withEnum")),
}
_HIDDEN_TYPES = frozenset(("TypeDef", "Function"))


@dataclass(frozen=True, slots=True)
class Ref:
    """A use of a type: its canonical name (`String`, `[File!]`, `Level`) and whether null is allowed."""

    name: str
    optional: bool


@dataclass(frozen=True)
class Argument:
    name: str
    description: str
    type: Ref
    default: str  # JSON, or empty when there is none
    default_path: str
    ignore: tuple[str, ...]

    @cached_property
    def flag(self) -> str:
        return kebab(self.name)

    @property
    def required(self) -> bool:
        return not self.type.optional and not self.default

    def default_value(self) -> Any:
        """The default, or None when there is none."""
        return json.loads(self.default) if self.default else None


@dataclass(frozen=True)
class Function:
    name: str
    description: str
    module: str
    returns: Ref
    args: tuple[Argument, ...] = ()

    @cached_property
    def command(self) -> str:
        return kebab(self.name)

    @property
    def short(self) -> str:
        return first_line(self.description)


@dataclass(frozen=True, slots=True)
class Type:
    """One type definition. `kind` is Dagger's, such as OBJECT_KIND."""

    name: str
    kind: str
    description: str = ""
    module: str = ""
    functions: tuple[Function, ...] = ()
    members: tuple[str, ...] = ()
    element: Ref | None = None

    @property
    def is_core(self) -> bool:
        return not self.module

    def function(self, name: str) -> Function | None:
        """By schema name or by command name."""
        return next((each for each in self.functions if name in (each.name, each.command)), None)


class Types:
    """All types of a session, by canonical name, each read when it is first asked for. The root is `Query`."""

    def __init__(self, described: list[dict[str, Any]]) -> None:
        self._described = {each["name"]: each for each in reversed(described)}
        self._types: dict[str, Type] = {}
        if "Query" not in self._described:
            raise QueryFailed("the session describes no Query type", reason="no-query-type")

    @property
    def root(self) -> Type:
        return self["Query"]

    def __getitem__(self, ref: Ref | str) -> Type:
        name = ref if isinstance(ref, str) else ref.name
        if name not in self._types:
            if name not in self._described:
                raise QueryFailed(f'type "{name}" is not among the types of the session', reason="unknown-type")
            self._types[name] = _type(self._described[name])
        return self._types[name]

    def objects(self) -> list[Type]:
        """The objects and interfaces, by name."""
        kinds = ("OBJECT_KIND", "INTERFACE_KIND")
        return [self[name] for name, each in sorted(self._described.items()) if each["kind"] in kinds]

    def provider(self, ref: Ref) -> Type | None:
        """The object or interface whose functions may follow: that of the elements for a list, None for a scalar."""
        found = self[ref]
        if found.element is not None:
            return self.provider(found.element)
        return found if found.kind in ("OBJECT_KIND", "INTERFACE_KIND") else None

    def supported(self, owner: Type) -> tuple[list[Function], list[str]]:
        """The functions of a type that can be called from the command line, and the names of the others."""
        from sealane.cli.flags import is_supported

        hidden = _HIDDEN.get(owner.name, frozenset())
        kept: list[Function] = []
        skipped: list[str] = []
        for function in owner.functions:
            blocked = any(arg.required and not is_supported(self, arg) for arg in function.args)
            internal = function.name == "with" if function.module else function.name in hidden
            if owner.name in _HIDDEN_TYPES or internal or blocked:
                skipped.append(function.command)
            else:
                kept.append(function)
        return kept, skipped

    def display(self, ref: Ref) -> str:
        """How a message names a type: `string`, `[]File`, `Level`."""
        found = self[ref]
        if found.element is not None:
            return "[]" + self.display(found.element)
        return _PRIMITIVES.get(found.kind, found.name)


_PRIMITIVES = {
    "STRING_KIND": "string",
    "INTEGER_KIND": "int",
    "FLOAT_KIND": "float",
    "BOOLEAN_KIND": "bool",
    "VOID_KIND": "void",
}


def load(session: Session, *, hide_core: bool = True, embedded: bool = False) -> Types:
    """Ask the session for its types: as Dagger's command line does, or the embedded engine for all of them as one text."""
    if embedded and hide_core:
        return Types(json.loads(session.query("query{_typeDefs(hideCore:true)}")["_typeDefs"]))
    return Types(session.query(TYPE_DEFS, {"hideCore": hide_core}, "TypeDefs")["typeDefs"])


def first_line(text: str) -> str:
    """What a table shows of a description; `-` for none."""
    return text.split("\n", 1)[0] or "-"


def _type(raw: dict[str, Any]) -> Type:
    name, kind = raw["name"], raw["kind"]
    if kind == "OBJECT_KIND":
        body = raw["asObject"]
        fields = tuple(
            Function(each["name"], each["description"], body["sourceModuleName"] or "", _ref(each["typeDef"]))
            for each in body["fields"]
        )
        functions = fields + tuple(_function(each) for each in body["functions"])
        return Type(name, kind, body["description"], body["sourceModuleName"] or "", functions)
    if kind == "INTERFACE_KIND":
        body = raw["asInterface"]
        functions = tuple(_function(each) for each in body["functions"])
        return Type(name, kind, body["description"], body["sourceModuleName"] or "", functions)
    if kind == "ENUM_KIND":
        body = raw["asEnum"]
        return Type(name, kind, body["description"], members=tuple(each["name"] for each in body["members"]))
    if kind == "SCALAR_KIND":
        return Type(name, kind, raw["asScalar"]["description"])
    if kind == "LIST_KIND":
        return Type(name, kind, element=_ref(raw["asList"]["elementTypeDef"]))
    return Type(name, kind)


def _function(raw: dict[str, Any]) -> Function:
    args = tuple(
        Argument(
            arg["name"],
            arg["description"] or "",
            _ref(arg["typeDef"]),
            arg["defaultValue"] or "",
            arg["defaultPath"] or "",
            tuple(arg["ignore"] or ()),
        )
        for arg in raw["args"]
    )
    return Function(raw["name"], raw["description"] or "", raw["sourceModuleName"] or "", _ref(raw["returnType"]), args)


def _ref(raw: dict[str, Any]) -> Ref:
    return Ref(raw["name"], bool(raw["optional"]))
