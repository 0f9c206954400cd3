"""Events as OpenTelemetry that a real decoder reads; only the watcher sees them."""

from __future__ import annotations

import asyncio

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sealane_engine.events import Events
from sealane_engine.protocol.client import Client
from sealane_engine.protocol.sse import Feed
from sealane_engine.protocol.telemetry import EventHooks

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MAIN = Client("main", "t", traceparent=f"00-{TRACE}-{PARENT}-01")


def told(client, signal, emit):
    events, feed = Events(), Feed()
    done = EventHooks(events, "main").subscribe(client, signal, feed)
    emit(events)
    done()
    emit(events)
    found = []
    while not feed.queue.empty():
        found.append(feed.queue.get_nowait())
    return found


def some(events):
    events.emit("step-start", {"sealane.stage": "test"}, key="sha256:1", name="withExec make")
    events.emit("log", key="sha256:1", stream="stderr", text="boom\n")
    events.emit("step-end", key="sha256:1", name="withExec make", seconds=1.5, exit_code=2, error=None)
    events.emit("cache", key="sha256:2", name="withExec true", verdict="hit")
    events.emit("cache", key="sha256:3", name="withExec false", verdict="miss")


def test_steps_are_spans_below_the_clients_own():
    async def main():
        return told(MAIN, "traces", some)

    events = asyncio.run(main())
    assert [(event.name, event.id) for event in events] == [("spans", "1"), ("spans", "2"), ("spans", "3")]
    requests = [Parse(event.data, ExportTraceServiceRequest()) for event in events]
    begun, ended, cached = [request.resource_spans[0].scope_spans[0].spans[0] for request in requests]
    assert (begun.trace_id.hex(), begun.parent_span_id.hex(), begun.end_time_unix_nano) == (TRACE, PARENT, 0)
    assert ended.span_id == begun.span_id
    assert ended.end_time_unix_nano - ended.start_time_unix_nano == 1_500_000_000
    assert (ended.status.code, ended.status.message) == (2, "exit code: 2")
    assert {a.key: a.value.string_value for a in begun.attributes}["sealane.stage"] == "test"
    assert {a.key: a.value.bool_value for a in cached.attributes}["dagger.io/dag.cached"]


def test_output_is_logs_of_the_steps_span():
    async def main():
        return told(MAIN, "logs", some), told(MAIN, "traces", some)[0]

    (log,), span = asyncio.run(main())
    record = Parse(log.data, ExportLogsServiceRequest()).resource_logs[0].scope_logs[0].log_records[0]
    step = Parse(span.data, ExportTraceServiceRequest()).resource_spans[0].scope_spans[0].spans[0]
    assert (record.body.string_value, record.span_id) == ("boom\n", step.span_id)
    assert (record.attributes[0].key, record.attributes[0].value.int_value) == ("stdio.stream", 2)


def test_a_nested_client_does_not_see_the_output_of_others():
    async def main():
        return told(Client("nested", "t"), "logs", some)

    assert asyncio.run(main()) == []


def test_a_slow_subscriber_loses_events_instead_of_memory():
    async def main():
        feed = Feed(limit=1)
        for _ in range(3):
            feed.put(object())
        return feed.queue.qsize(), feed.lost

    assert asyncio.run(main()) == (1, 2)
