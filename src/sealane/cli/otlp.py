"""A run as OpenTelemetry, sent where OTEL_EXPORTER_OTLP_ENDPOINT says: what ended as spans, what steps print as logs.

OpenTelemetry's own SDK reads the variables, batches and sends. A collector that can't be reached costs a line on stderr
and a few seconds at the end, never the run.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sys
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status, StatusCode

from sealane_engine.events import Event
from sealane_engine.protocol.telemetry import STREAMS, Span, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_SECONDS = 5.0  # what the end of a run waits for a collector
_LOGS_WAITING = 50_000  # pieces of output; the oldest go first
_SCOPE = "sealane"


class Exporter:
    """Sends what the engine tells of one invocation. `traceparent` is its own span, which lies below TRACEPARENT's."""

    def __init__(self, environ: Mapping[str, str], signals: set[str]) -> None:
        above = Trace(environ.get("TRACEPARENT", ""))
        trace_id = above.trace_id if above.parent else secrets.token_bytes(16)
        self._above, self._own, self._began = above.parent, secrets.token_bytes(8), time.time()
        self.traceparent = f"00-{trace_id.hex()}-{self._own.hex()}-01"
        self._trace = Trace(self.traceparent)
        self._complaints = _Complaints()
        self._resource = Resource.create({} if environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "sealane"})
        self._spans = BatchSpanProcessor(OTLPSpanExporter()) if "traces" in signals else None
        self._logs = LoggerProvider(self._resource, shutdown_on_exit=False) if "logs" in signals else None
        if self._logs is not None:
            sender = BatchLogRecordProcessor(OTLPLogExporter(), max_queue_size=_LOGS_WAITING)
            self._logs.add_log_record_processor(sender)

    def event(self, told: dict[str, Any]) -> None:
        event = Event.from_json(told)
        if event.kind == "log":
            self._log(event)
        elif (span := self._trace.read(event)) is not None and span.end is not None:
            self._span(span)

    def close(self) -> None:
        """Tell of the invocation itself, and wait a little for what is on its way. A second call does nothing."""
        if not self._own:
            return
        verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        self._span(Span(self._own, self._above, f"sealane {verb}".strip(), {}, self._began, time.time()))
        self._own = b""
        ending = threading.Thread(target=self._shutdown, daemon=True)
        ending.start()
        ending.join(_SECONDS)
        self._complaints.close()
        said = [*self._complaints.said[-1:]]
        if ending.is_alive():
            said.insert(0, f"not all of it could be sent in {_SECONDS:.0f} s")
        if said:
            print(f"telemetry: {': '.join(said)}", file=sys.stderr)

    def _shutdown(self) -> None:
        for sender in (self._spans, self._logs):
            if sender is not None:
                sender.shutdown()

    def _span(self, span: Span) -> None:
        if self._spans is None or span.end is None:
            return
        failed = Status(StatusCode.ERROR, span.failure) if span.failure else Status(StatusCode.OK)
        self._spans.on_end(
            ReadableSpan(
                span.name,
                context=self._context(span.id),
                parent=self._context(span.parent) if span.parent else None,
                resource=self._resource,
                attributes=span.attributes,
                status=failed,
                start_time=int(span.start * 1e9),
                end_time=int(span.end * 1e9),
                instrumentation_scope=InstrumentationScope(_SCOPE),
            )
        )

    def _log(self, event: Event) -> None:
        if self._logs is None:
            return
        step = self._context(self._trace.span_id(str(event.data["key"])))
        self._logs.get_logger(_SCOPE).emit(
            timestamp=int(event.time * 1e9),
            context=trace.set_span_in_context(trace.NonRecordingSpan(step)),
            body=event.data["text"],
            attributes={"stdio.stream": STREAMS.get(str(event.data["stream"]), 1)},
        )

    def _context(self, span: bytes) -> trace.SpanContext:
        sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        ids = int.from_bytes(self._trace.trace_id), int.from_bytes(span)
        return trace.SpanContext(*ids, is_remote=False, trace_flags=sampled)


class _Complaints(logging.Handler):
    """What OpenTelemetry logs about sending, kept instead of shown: it says the same again and again."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._logger = logging.getLogger("opentelemetry")
        self._logger.addHandler(self)
        self._logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # a complaint that can't be formatted is none
            self.said.append(record.getMessage().partition("\n")[0][:300])

    def close(self) -> None:
        self._logger.removeHandler(self)
        super().close()
