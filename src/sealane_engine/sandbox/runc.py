"""The second backend: runc behind the same mount plan."""

from __future__ import annotations

from sealane_engine.sandbox.launcher.client import Launcher


class Runc(Launcher):
    """The `runc` backend."""

    name = "runc"
