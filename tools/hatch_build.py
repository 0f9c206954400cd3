"""Puts Sealane's own module into the wheel, as the folder of its own that an engine loads a module from.

An editable installation has the checkout, and needs no copy.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PARTS = ("dagger.json", "ci/pyproject.toml", "ci/requirements.lock", "ci/src", "src/sealane")


class OwnModule(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"] |= {part: f"sealane/module/{part}" for part in PARTS}
