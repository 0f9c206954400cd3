"""Functions that a module marks: checks, generators, services. Which there are, what a pattern names, how one is called."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sealane_engine.modules.names import kebab, lower_camel
from sealane_engine.modules.publish import main_object
from sealane_engine.protocol.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.modules.module import Module
    from sealane_engine.modules.typedefs import FunctionDef

Mark = Literal["check", "generator", "up"]


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A function that needs no argument, of a module's main object. `prefix` is said before a toolchain's."""

    module: Module
    function: FunctionDef
    prefix: str = ""

    @property
    def name(self) -> str:
        own = kebab(self.function.name)
        return f"{self.prefix}:{own}" if self.prefix else own

    @property
    def call(self) -> Call:
        """The function, called on what the constructor makes."""
        main = main_object(self.module.shown, self.module.name)
        made = Call.make(None, main.name, lower_camel(self.module.name), scope=self.module.scope)
        return Call.make(made, self.function.returns.leaf.canonical, self.function.name)


def marked(modules: Iterable[Module], mark: Mark, include: list[str] | None = None) -> list[Marked]:
    """The functions with a mark, those of toolchains behind the module's own."""
    found = []
    for module in modules:
        for each, prefix in ((module, ""), *((tool, kebab(tool.name)) for tool in module.toolchains)):
            functions = [f for f in main_object(each.shown, each.name).functions if getattr(f, mark)]
            found += [Marked(each, f, prefix) for f in functions if not include or matches(each.name, f.name, include)]
    return found


def matches(module_name: str, function: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern names a function: `lint`, `module:lint`, `*:lint`, `module`."""
    own, name = kebab(module_name), kebab(function)
    names = (name, f"{own}:{name}", own)
    return any(fnmatch.fnmatchcase(each, pattern) for pattern in patterns for each in names)
