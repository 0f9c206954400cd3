"""The engine's events as they come down a pipe, one JSON object per line: kept, and handed to whoever shows them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

Event = dict[str, Any]
_LOGS_KEPT = 20_000


class EventReader:
    """Reads events in a thread until the engine closes its end. `kept` has all of them, logs up to a limit."""

    def __init__(self, descriptor: int, listeners: Sequence[Callable[[Event], None]]) -> None:
        self.kept: list[Event] = []
        self._logs = 0
        self._listeners = listeners
        self._thread = threading.Thread(target=self._read, args=(descriptor,), name="events", daemon=True)
        self._thread.start()

    def finish(self, timeout: float = 5.0) -> None:
        """Wait for the last event."""
        self._thread.join(timeout)

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                self._logs += event.get("kind") == "log"
                if event.get("kind") != "log" or self._logs <= _LOGS_KEPT:
                    self.kept.append(event)
                for listener in self._listeners:
                    listener(event)
