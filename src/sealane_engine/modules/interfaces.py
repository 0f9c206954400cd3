"""Which objects fit which interfaces of modules: by what they offer, whoever wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealane_engine.protocol.extension import ObjectSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.modules.module import Module
    from sealane_engine.modules.typedefs import FunctionDef, TypeDef


def fitting(modules: Iterable[Module]) -> list[ObjectSpec]:
    """For each object of these modules the interfaces of these modules that it fits; objects that fit none are left out."""
    modules = tuple(modules)
    objects = {each.name: each for module in modules for each in module.shown.objects}
    interfaces = {each.name: each for module in modules for each in module.shown.interfaces}
    found = []
    for name, each in objects.items():
        names = tuple(interface for interface in interfaces if _Match(objects, interfaces).object(name, interface))
        if names:
            found.append(ObjectSpec(each.name, (), interfaces=names))
    return found


class _Match:
    """One question. What is asked while it is being answered (a function that returns its own kind) is taken to hold."""

    def __init__(self, objects: dict[str, TypeDef], interfaces: dict[str, TypeDef]) -> None:
        self._objects = objects
        self._interfaces = interfaces
        self._assumed: set[tuple[str, str]] = set()

    def object(self, name: str, interface: str) -> bool:
        """Whether an object offers every function of an interface."""
        if name == interface or (name, interface) in self._assumed:
            return True
        offered = self._objects.get(name) or self._interfaces.get(name)
        wanted = self._interfaces.get(interface)
        if offered is None or wanted is None:
            return False
        self._assumed.add((name, interface))
        return all(self._offers(offered, each) for each in wanted.functions)

    def _offers(self, offered: TypeDef, wanted: FunctionDef) -> bool:
        for field in offered.fields:
            if field.name == wanted.name:
                return not wanted.args and self._use(field.type, wanted.returns)
        for function in offered.functions:
            if function.name == wanted.name:
                return self._use(function.returns, wanted.returns) and self._takes(function, wanted)
        return False

    def _takes(self, function: FunctionDef, wanted: FunctionDef) -> bool:
        """Every argument of the interface is taken; what the object takes beyond them may be left out."""
        own = {each.name: each for each in function.args}
        for each in wanted.args:
            found = own.pop(each.name, None)
            if found is None or not self._use(each.type, found.type, exactly_optional=False):
                return False
        return all(each.type.optional or each.default is not None for each in own.values())

    def _use(self, given: TypeDef, wanted: TypeDef, *, exactly_optional: bool = True) -> bool:
        """Whether a value of one type can stand where another is wanted."""
        if exactly_optional and given.optional and not wanted.optional and wanted.kind != "VOID_KIND":
            return False
        if given.element is not None and wanted.element is not None:
            return self._use(given.element, wanted.element)
        if wanted.kind == "INTERFACE_KIND":
            return self.object(given.name, wanted.name)
        return (given.kind, given.name) == (wanted.kind, wanted.name)
