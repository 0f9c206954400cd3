"""Where a step runs: a plan (data), a launcher of our own, runc as the second backend behind the same plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sealane_engine.events import Events
    from sealane_engine.sandbox.ids import IdRange
    from sealane_engine.sandbox.launcher.client import Launcher

BACKENDS = ("launcher", "runc")


def open_backend(name: str, *, home: Path, ids: IdRange, events: Events | None = None) -> Launcher:
    """A backend by name, to be entered with `async with`. `home` is the store's directory."""
    # Imported here: the launcher's own process imports this package and needs none of it.
    from sealane_engine.errors import InvalidInput

    match name:
        case "launcher":
            from sealane_engine.sandbox.launcher.client import Launcher

            return Launcher(home, ids, events)
        case "runc":
            from sealane_engine.sandbox.runc import Runc

            return Runc(home, ids, events)
        case _:
            raise InvalidInput(
                f"no such sandbox backend: {name}",
                reason="unknown-backend",
                hint=f"choose one of {', '.join(BACKENDS)}",
            )
