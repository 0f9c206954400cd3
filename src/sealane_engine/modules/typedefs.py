"""Type definitions as values: what a module's registration builds, call by call, and what `currentTypeDefs` shows.

Registered names are the SDK's own (`python_version`); `modules.publish` makes of them what the schema says.
All of it can be written as JSON and read again, so that a module that hasn't changed isn't asked twice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

PRIMITIVES = {
    "STRING_KIND": "String",
    "INTEGER_KIND": "Int",
    "FLOAT_KIND": "Float",
    "BOOLEAN_KIND": "Boolean",
    "VOID_KIND": "Void",
}


@dataclass(frozen=True, slots=True)
class TypeDef:
    """A type, or a use of one. `kind` is Dagger's (STRING_KIND, OBJECT_KIND, …); an object's body may be elsewhere."""

    kind: str = ""
    name: str = ""
    optional: bool = False
    description: str = ""
    element: TypeDef | None = None
    fields: tuple[FieldDef, ...] = ()
    functions: tuple[FunctionDef, ...] = ()
    constructor: FunctionDef | None = None
    members: tuple[EnumMember, ...] = ()
    module: str = ""
    deprecated: str | None = None
    original: str = ""  # the name as the module registered it

    @property
    def canonical(self) -> str:
        """The name by which `currentTypeDefs` has this type once: `String`, `[File!]`, `Level`."""
        if self.kind == "LIST_KIND" and self.element is not None:
            return f"[{self.element.graphql}]"
        return PRIMITIVES.get(self.kind, self.name)

    @property
    def graphql(self) -> str:
        """The type as the schema writes it."""
        return self.canonical if self.optional else f"{self.canonical}!"

    @property
    def leaf(self) -> TypeDef:
        """The innermost element type."""
        return self.element.leaf if self.element is not None else self

    def function(self, original: str) -> FunctionDef | None:
        return next((each for each in self.functions if each.original == original), None)


@dataclass(frozen=True, slots=True)
class FieldDef:
    """A field of an object, served from its state."""

    name: str
    type: TypeDef
    description: str = ""
    deprecated: str | None = None
    original: str = ""


@dataclass(frozen=True, slots=True)
class ArgDef:
    """An argument. `default` is JSON, None without one."""

    name: str
    type: TypeDef
    description: str = ""
    default: str | None = None
    default_path: str = ""
    default_address: str = ""
    ignore: tuple[str, ...] = ()
    deprecated: str | None = None
    original: str = ""

    @property
    def contextual(self) -> bool:
        """Whether the engine finds the value where the module is, when none is given."""
        return bool(self.default_path or self.default_address or self.is_workspace)

    @property
    def is_workspace(self) -> bool:
        return self.type.kind == "OBJECT_KIND" and self.type.name == "Workspace"


@dataclass(frozen=True, slots=True)
class FunctionDef:
    """A function. `policy` is Default, Never or PerSession; `ttl` a duration such as `24h` (Default's is 7 days)."""

    name: str
    returns: TypeDef
    args: tuple[ArgDef, ...] = ()
    description: str = ""
    policy: str = "Default"
    ttl: str = ""
    check: bool = False
    generator: bool = False
    up: bool = False
    deprecated: str | None = None
    module: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class EnumMember:
    name: str
    value: str = ""
    description: str = ""
    deprecated: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A module as its registration described it."""

    description: str = ""
    objects: tuple[TypeDef, ...] = ()
    enums: tuple[TypeDef, ...] = ()
    interfaces: tuple[TypeDef, ...] = ()

    def to_json(self) -> dict[str, Any]:
        slim: dict[str, Any] = _slim(asdict(self))
        return slim

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Registered:
        return cls(
            data.get("description", ""),
            *(tuple(_type(each) for each in data.get(name, ())) for name in ("objects", "enums", "interfaces")),
        )


def optional(found: TypeDef, value: bool = True) -> TypeDef:
    return replace(found, optional=value)


def _slim(value: Any) -> Any:
    """Without what is empty: the dataclasses' defaults put it back."""
    if isinstance(value, dict):
        return {key: _slim(item) for key, item in value.items() if item not in (None, "", (), [], False)}
    if isinstance(value, list | tuple):
        return [_slim(item) for item in value]
    return value


def _type(data: dict[str, Any]) -> TypeDef:
    plain: dict[str, Any] = {key: value for key, value in data.items() if isinstance(value, str | bool)}
    return TypeDef(
        **plain,
        element=_type(data["element"]) if "element" in data else None,
        fields=tuple(_field(each) for each in data.get("fields", ())),
        functions=tuple(_function(each) for each in data.get("functions", ())),
        constructor=_function(data["constructor"]) if "constructor" in data else None,
        members=tuple(EnumMember(**each) for each in data.get("members", ())),
    )


def _field(data: dict[str, Any]) -> FieldDef:
    return FieldDef(**{**data, "type": _type(data["type"])})


def _function(data: dict[str, Any]) -> FunctionDef:
    args = tuple(
        ArgDef(**{**each, "type": _type(each["type"]), "ignore": tuple(each.get("ignore", ()))})
        for each in data.get("args", ())
    )
    return FunctionDef(**{"name": "", **data, "returns": _type(data["returns"]), "args": args})
