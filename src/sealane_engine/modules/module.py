"""A module as a value: what it registered, where it comes from, and the objects that its functions answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sealane_engine.modules.typedefs import Registered, TypeDef

if TYPE_CHECKING:
    from sealane_engine.modules.source import ModuleSource


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """`registered` has the SDK's names, `shown` the schema's. A module that is being registered has no source.

    `digest` names source and configuration; function calls are cached under it. `user` is the source of the module
    that has this one as a toolchain: default paths are looked for there.
    """

    registered: Registered = field(default_factory=Registered)
    shown: Registered = field(default_factory=Registered)
    source: ModuleSource | None = None
    digest: str = ""
    dependencies: tuple[Module, ...] = ()
    toolchains: tuple[Module, ...] = ()
    user: ModuleSource | None = None

    @property
    def name(self) -> str:
        return self.source.module_name if self.source is not None else ""

    @property
    def scope(self) -> str:
        """What calls of its constructor carry: another module of the same name is another one."""
        return f":{self.digest}"

    def needs_source(self) -> ModuleSource:
        assert self.source is not None, "a module that is being registered can't be called"
        return self.source

    def with_registered(self, **changes: Any) -> Module:
        return replace(self, registered=replace(self.registered, **changes))

    def type(self, name: str) -> TypeDef | None:
        """A type by the name that the schema has for it."""
        shown = (*self.shown.objects, *self.shown.enums, *self.shown.interfaces)
        return next((each for each in shown if each.name == name), None)


@dataclass(frozen=True, slots=True, eq=False)
class ModuleObject:
    """An object of a module: the state that its function returned, objects in it by id."""

    module: Module
    type: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WithConstructor:
    """Query after `with(…)`: the arguments that the constructor will get."""

    args: tuple[tuple[str, Any], ...] = ()
