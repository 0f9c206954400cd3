"""What a vendor's cache keeps between runs: taken into the engine's store before a run, written anew after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.vendors.shape import CACHE_LIMITS, CACHE_VARIABLE

if TYPE_CHECKING:
    from sealane.cli.options import Options


class Cache:
    """The folder that SEALANE_CACHE names, of at most `limit` bytes; without one, or on a Dagger engine, nothing happens.

    Whatever is wrong with it is told and no more: a run never fails by its cache.
    """

    def __init__(self, options: Options, vendor: str, limit: int) -> None:
        self._options = options
        self._limit = min(limit, CACHE_LIMITS.get(vendor, limit))
        named = options.environ.get(CACHE_VARIABLE, "")
        self._folder = Path(named) if named and options.engine == "embedded" and self._limit else None

    def take(self) -> None:
        """Import what is there."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)  # Azure's task fails when what it is to keep isn't there
        except OSError as error:
            print(f"Warning: there can be no cache in {self._folder}: {error}")
            self._folder = None
            return
        if any(self._folder.iterdir()):
            self._run("import", str(self._folder))

    def keep(self) -> None:
        """Export what this run used and made."""
        if self._folder is not None:
            self._run("export", str(self._folder), "--limit", str(self._limit))

    def _run(self, *words: str) -> None:
        """In a process of its own: without root it needs the namespace that owns the layers' files."""
        sys.stdout.flush()
        command = [sys.executable, "-P", "-m", "sealane", "cache", *words]
        subprocess.run(command, env=self._options.environ, check=False, stdin=subprocess.DEVNULL)
