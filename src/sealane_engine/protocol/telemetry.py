"""The engine's events as OpenTelemetry, for a client that subscribes: spans of calls and steps, and their output as logs.

Each event is one OTLP export request as protojson, where ids are base64 and times are strings of nanoseconds.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

from sealane_engine.protocol.endpoint import Hooks
from sealane_engine.protocol.sse import ServerEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sealane_engine.events import Event, Events
    from sealane_engine.protocol.client import Client
    from sealane_engine.protocol.sse import Feed

TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
SCOPE = {"name": "sealane"}
STREAMS = {"stdout": 1, "stderr": 2}


class EventHooks(Hooks):
    """Sends events to subscribers. Only the client `watcher` sees them: a step with a session of its own must not see others' output."""

    def __init__(self, events: Events, watcher: str) -> None:
        self.events = events
        self.watcher = watcher

    def subscribe(self, client: Client, signal: str, feed: Feed) -> Callable[[], None]:
        if client.id != self.watcher or signal == "metrics":
            return lambda: None
        trace = Trace(client.traceparent)
        numbers = count(1)

        def listener(event: Event) -> None:
            told = trace.span(event) if signal == "traces" else trace.log(event)
            if told is not None:
                data = json.dumps(told, separators=(",", ":"))
                feed.put(ServerEvent("spans" if signal == "traces" else "logs", data, str(next(numbers))))

        return self.events.listen(listener)


def traceparent_of(traceparent: str, key: str) -> str:
    """What is asked for during the call with this key says that as its parent; nothing if the call had none."""
    trace = Trace(traceparent)
    return f"00-{trace.trace_id.hex()}-{trace.span_id(key).hex()}-01" if trace.parent else ""


@dataclass(frozen=True, slots=True)
class Span:
    """Ids are bytes; times are seconds since the epoch, `end` None while it lasts. `failure` is empty when all is well."""

    id: bytes
    parent: bytes
    name: str
    attributes: Mapping[str, Any]
    start: float
    end: float | None = None
    failure: str = ""


class Trace:
    """Makes spans and log records of one trace. A span's id follows from its key, so that logs find their span.

    A span lies below that of the request it is for, or below the subscriber's if that is of another trace or unknown.
    """

    def __init__(self, traceparent: str) -> None:
        matched = TRACEPARENT.fullmatch(traceparent)
        self.trace_id = bytes.fromhex(matched[1]) if matched else sha256(b"sealane").digest()[:16]
        self.parent = bytes.fromhex(matched[2]) if matched else b""

    def parent_of(self, event: Event) -> bytes:
        asked = Trace(event.traceparent)
        return asked.parent if asked.parent and asked.trace_id == self.trace_id else self.parent

    def span_id(self, key: str) -> bytes:
        return sha256(self.trace_id + key.encode()).digest()[:8]

    def read(self, event: Event) -> Span | None:
        """A span that begins (it has no end yet), ends, or was answered from the store."""
        data, now = event.data, event.time
        key, name = str(data.get("key", "")), str(data.get("name", ""))
        if event.kind in {"step-start", "service-start"}:
            return self.one(key, name, event, start=now)
        if event.kind == "step-end":
            failure = data.get("error") or (f"exit code: {data['exit_code']}" if data.get("exit_code") else "")
            return self.one(key, name, event, start=now - data["seconds"], end=now, failure=str(failure))
        if event.kind == "service-ready":
            return self.one(key, name, event, start=now - data["seconds"], end=now)
        if event.kind == "cache" and data.get("verdict") == "hit":
            return self.one(key, name, event, start=now, end=now, cached=True)
        if event.kind == "call":
            name, hit = f"{data['module']}.{data['function']}", data["verdict"] == "hit"
            return self.one(key, name, event, start=now, end=now if hit else None, cached=hit)
        if event.kind == "call-end":
            name, failure = f"{data['module']}.{data['function']}", str(data["error"])
            return self.one(key, name, event, start=now - data["seconds"], end=now, failure=failure)
        if event.kind == "image":
            name = f"image {data.get('ref')} from {data.get('origin')}"
            return self.one(f"image {data.get('digest')}", name, event, start=now, end=now)
        return None

    def one(
        self,
        key: str,
        name: str,
        event: Event,
        *,
        start: float,
        end: float | None = None,
        failure: str = "",
        cached: bool = False,
    ) -> Span:
        attributes: dict[str, Any] = {"dagger.io/dag.digest": key, **event.labels}
        if cached:
            attributes["dagger.io/dag.cached"] = True
        return Span(self.span_id(key), self.parent_of(event), name, attributes, start, end, failure)

    def span(self, event: Event) -> dict[str, Any] | None:
        """The same as OTLP writes it."""
        found = self.read(event)
        if found is None:
            return None
        span: dict[str, Any] = {
            "traceId": base64(self.trace_id),
            "spanId": base64(found.id),
            "name": found.name,
            "kind": "SPAN_KIND_INTERNAL",
            "startTimeUnixNano": nanoseconds(found.start),
            "attributes": pairs(found.attributes),
        }
        if found.parent:
            span["parentSpanId"] = base64(found.parent)
        if found.end is not None:
            span["endTimeUnixNano"] = nanoseconds(found.end)
            failed = {"code": "STATUS_CODE_ERROR", "message": found.failure}
            span["status"] = failed if found.failure else {"code": "STATUS_CODE_OK"}
        return self.spans(span)

    def spans(self, span: dict[str, Any]) -> dict[str, Any]:
        return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": SCOPE, "spans": [span]}]}]}

    def log(self, event: Event) -> dict[str, Any] | None:
        """A piece of a step's output."""
        if event.kind != "log":
            return None
        record = {
            "timeUnixNano": nanoseconds(event.time),
            "body": {"stringValue": event.data["text"]},
            "attributes": pairs({"stdio.stream": STREAMS.get(str(event.data["stream"]), 1)}),
            "traceId": base64(self.trace_id),
            "spanId": base64(self.span_id(str(event.data["key"]))),
        }
        return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": SCOPE, "logRecords": [record]}]}]}


def base64(value: bytes) -> str:
    return b64encode(value).decode()


def nanoseconds(seconds: float) -> str:
    return str(int(seconds * 1e9))


def pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP writes them."""
    found = []
    for key, value in attributes.items():
        if isinstance(value, bool):
            told: dict[str, Any] = {"boolValue": value}
        elif isinstance(value, int):
            told = {"intValue": str(value)}
        else:
            told = {"stringValue": str(value)}
        found.append({"key": key, "value": told})
    return found
