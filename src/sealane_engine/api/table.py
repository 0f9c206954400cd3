"""All implemented fields: (type, field) → implementation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from sealane_engine.api.registry import Fields, Implementation

SUBJECTS = (
    "container.config",
    "container.execs",
    "container.files",
    "container.images",
    "container.mounts",
    "container.publish",
    "container.terminal",
    "directory",
    "file",
    "host",
    "service",
    "secret",
    "cache",
    "query",
    "changeset",
    "merge",
    "documents",
    "search",
    "engine",
    "git",
    "http",
    "dockerbuild",
    "address",
    "typedefs",
    "codegen",
    "modules",
    "drafts",
    "generated",
    "env",
    "types",
    "checks",
    "generators",
    "ups",
    "workspace",
    "workdir",
)


FIRST = {
    "Query": ("query", "host", "modules"),
    "Container": ("container.config", "container.execs", "container.files", "container.mounts", "container.images"),
    "Directory": ("directory",),
    "File": ("file",),
    "Module": ("modules",),
    "ModuleSource": ("modules",),
}
"""Where a type's fields are looked for first: an engine imports what its client uses, and no more."""


class Table:
    """Finds implementations, importing subjects as they are needed."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Implementation] = {}
        self._loaded: set[str] = set()
        self._of_modules: dict[tuple[str, str, str], Implementation] = {}

    def of_module(self, scope: str, type_name: str, field: str) -> Implementation | None:
        """The implementation of a module's field: of that module, whatever others of its name do."""
        return self._of_modules.get((scope, type_name, field))

    def find(self, type_name: str, field: str) -> Implementation | None:
        """The implementation of a field; None when it has none."""
        found = self._known.get((type_name, field))
        if found is None and len(self._loaded) < len(SUBJECTS):
            for subject in (*FIRST.get(type_name, ()), *SUBJECTS):
                if subject not in self._loaded:
                    self._loaded.add(subject)
                    # what a module brought keeps its place
                    self._known = fields_of(subject) | self._known
                    if (type_name, field) in self._known:
                        return self._known[type_name, field]
        return found

    def extend(self, fields: Mapping[tuple[str, str], Implementation], scope: str) -> None:
        """Add the fields of a module, whose calls have that scope."""
        self._known.update(fields)
        self._of_modules.update({(scope, *key): run for key, run in fields.items()})


def fields_of(subject: str) -> dict[tuple[str, str], Implementation]:
    """What one file implements: it offers its `Fields` objects as module attributes."""
    module = import_module(f"sealane_engine.api.{subject}")
    return {
        (fields.type_name, name): run
        for fields in vars(module).values()
        if isinstance(fields, Fields)
        for name, run in fields.table.items()
    }


def table() -> dict[tuple[str, str], Implementation]:
    """The fields of every subject."""
    return {key: run for subject in SUBJECTS for key, run in fields_of(subject).items()}
