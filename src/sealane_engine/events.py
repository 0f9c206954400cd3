"""The one stream of what happens: steps, logs, cache verdicts, images, services.

Progress, run.json, explain, provenance and the timeline read it; nothing invents a second channel.
An event is emitted on the engine's event loop and handed to every listener at once; a listener must not block.
Written out, an event is one line of JSON (`Event.to_json`), which is what the engine process writes to its events descriptor.

kind            data
step-start      key, name, inputs        a step that was not in the store begins to run
step-end        key, name, seconds, exit_code, error
cache           key, name, verdict       "hit" | "miss" | "joined": one per request for a step, with the requester's labels
log             key, stream, text        a piece of a step's output, secrets already masked
image           ref, origin, digest      origin is "store" | "registry" | "catalog"
publish         ref, digest              an image was pushed, and its tag moved
service-start   name, host, command      service-ready: seconds; service-end: exit_code
call            key, module, function, verdict   of a call that is not answered from the store, call-end: seconds, error
lookup          name, type, address   a name that the step with this address asked for; type is "A", "AAAA", …
terminal        open, why                a command gets the client's terminal, or has given it back
warning         message, reason
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

_ENVELOPE = frozenset({"kind", "time", "labels", "traceparent"})
Listener = Callable[["Event"], None]


class Requester(Protocol):
    """Whose request it is that something happens for."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its W3C baggage."""

    @property
    def traceparent(self) -> str:
        """Its span, as W3C writes it; empty if it said none."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `time` is seconds since the epoch; `labels` and `traceparent` are the requester's."""

    kind: str
    data: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    time: float = field(default_factory=time.time)
    traceparent: str = ""

    def to_json(self) -> str:
        asked = {"traceparent": self.traceparent} if self.traceparent and self.kind != "log" else {}
        return json.dumps(
            {"kind": self.kind, "time": round(self.time, 4), "labels": dict(self.labels), **asked, **self.data},
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The event that a line of JSON tells of."""
        data = {name: value for name, value in told.items() if name not in _ENVELOPE}
        return cls(told["kind"], data, told["labels"], time=told["time"], traceparent=told.get("traceparent", ""))


class Events:
    """Where events are emitted and listened to."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the answer removes it again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, kind: str, requester: Requester | None = None, **data: Any) -> None:
        event = Event(kind, data)
        if requester is not None:
            event = Event(kind, data, requester.labels, traceparent=requester.traceparent)
        for listener in tuple(self._listeners):
            listener(event)
