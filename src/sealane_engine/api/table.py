"""All implemented fields: (type, field) → implementation."""

from __future__ import annotations

from importlib import import_module

from sealane_engine.api.registry import Fields, Implementation

SUBJECTS = (
    "container.config",
    "container.execs",
    "container.files",
    "container.images",
    "container.mounts",
    "container.publish",
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
    "modules",
    "types",
    "checks",
)


def table() -> dict[tuple[str, str], Implementation]:
    """Merge the tables of every subject; each file offers its `Fields` objects as module attributes."""
    merged: dict[tuple[str, str], Implementation] = {}
    for subject in SUBJECTS:
        module = import_module(f"sealane_engine.api.{subject}")
        for fields in vars(module).values():
            if isinstance(fields, Fields):
                merged.update({(fields.type_name, name): run for name, run in fields.table.items()})
    return merged
