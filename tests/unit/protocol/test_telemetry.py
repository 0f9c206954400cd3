"""Events as OpenTelemetry that a real decoder reads; only the watcher sees them."""

from __future__ import annotations

import asyncio

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sealane_engine.events import Events
from sealane_engine.protocol.client import Client
from sealane_engine.protocol.sse import Feed
from sealane_engine.protocol.telemetry import EventHooks, traceparent_of

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
    stage = Client("main", "t", labels={"sealane.stage": "test"})
    events.emit("step-start", stage, key="sha256:1", name="withExec make")
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


def test_what_a_request_asks_for_is_below_its_span_and_steps_of_a_call_below_the_call():
    asked = Client("main", "t", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    within = Client("nested", "t", traceparent=traceparent_of(asked.traceparent, "sha256:f"))
    elsewhere = Client("main", "t", traceparent=f"00-{'1' * 32}-00f067aa0ba902b7-01")

    def emit(events):
        events.emit("call", asked, key="sha256:f", module="greeter", function="shout", verdict="miss")
        events.emit("step-start", within, key="sha256:1", name="withExec make")
        ended = {"module": "greeter", "function": "shout", "seconds": 1.5, "error": "exit code: 2"}
        events.emit("call-end", asked, key="sha256:f", **ended)
        events.emit("step-start", elsewhere, key="sha256:2", name="withExec true")

    async def main():
        return told(MAIN, "traces", emit)

    requests = [Parse(event.data, ExportTraceServiceRequest()) for event in asyncio.run(main())]
    call, step, ended, other = [request.resource_spans[0].scope_spans[0].spans[0] for request in requests]
    assert (call.name, call.parent_span_id.hex()) == ("greeter.shout", "00f067aa0ba902b7")
    assert (call.end_time_unix_nano, ended.span_id, ended.status.message) == (0, call.span_id, "exit code: 2")
    assert step.parent_span_id == call.span_id
    assert (other.trace_id.hex(), other.parent_span_id.hex()) == (TRACE, PARENT)
    assert traceparent_of("", "sha256:f") == ""


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
