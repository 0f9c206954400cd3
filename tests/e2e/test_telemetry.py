"""What a run tells an OpenTelemetry collector, and that a collector which is gone costs the run nothing."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(300)]

QUERY = """{ container { from(address: "debian:bookworm-slim") {
    withEnvVariable(name: "NOW", value: "%s") {
        withExec(args: ["sh", "-c", "echo to stdout; echo to stderr >&2; exit %d"]) { stdout }
    }
} } }"""
ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Collector:
    """An OTLP receiver over HTTP."""

    url: str
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.headers.append(headers)
        if path == "/v1/traces":
            for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.services |= {a.value.string_value for a in each.resource.attributes if a.key == "service.name"}
                self.spans += [span for scope in each.scope_spans for span in scope.spans]
        elif path == "/v1/logs":
            found = ExportLogsServiceRequest.FromString(body).resource_logs
            self.logs += [record for each in found for scope in each.scope_logs for record in scope.log_records]


@contextmanager
def collector(*, delay: float = 0.0) -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(delay)
            found.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def ask(environ: dict[str, str], *, code: int = 0) -> subprocess.CompletedProcess[str]:
    query = QUERY % (time.time(), code)
    return subprocess.run(
        ["sealane", "--silent", "query", "--no-mod"], input=query, env=environ, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_steps_are_spans_below_the_run_and_their_output_is_logs(environ: dict[str, str]):
    with collector() as seen:
        more = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue",
            "TRACEPARENT": ABOVE,
        }
        done = ask(environ | more)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert seen.services == {"sealane"}
    assert {each["x-team"] for each in seen.headers} == {"blue"}
    spans = {span.name: span for span in seen.spans}
    run, step = spans["sealane query"], next(span for name, span in spans.items() if name.startswith("withExec"))
    assert {span.trace_id.hex() for span in seen.spans} == {ABOVE.split("-")[1]}
    assert run.parent_span_id.hex() == ABOVE.split("-")[2]
    assert step.parent_span_id == run.span_id
    assert run.start_time_unix_nano <= step.start_time_unix_nano < step.end_time_unix_nano <= run.end_time_unix_nano
    said = {(each.body.string_value.strip(), each.attributes[0].value.int_value) for each in seen.logs}
    assert said == {("to stdout", 1), ("to stderr", 2)}
    assert {each.span_id for each in seen.logs} == {step.span_id}


def test_a_step_that_fails_is_a_span_that_failed(environ: dict[str, str]):
    with collector() as seen:
        done = ask(environ | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{seen.url}/v1/traces"}, code=3)
    assert done.returncode != 0
    step = next(span for span in seen.spans if span.name.startswith("withExec"))
    assert (step.status.code, step.status.message) == (2, "exit code: 3")
    assert seen.logs == []  # no endpoint was named for them


def test_a_command_is_told_the_span_that_it_runs_in(environ: dict[str, str]):
    with collector() as seen:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.url}
        command = ["sealane", "--silent", "run", "sh", "-c", "echo $TRACEPARENT"]
        done = subprocess.run(command, env=environ | more, capture_output=True, text=True, check=True)
    (run,) = [span for span in seen.spans if span.name == "sealane run"]
    assert done.stdout.strip() == f"00-{run.trace_id.hex()}-{run.span_id.hex()}-01"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "telemetry: not all of it could be sent"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf is spoken here"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "an OTEL_ variable can't be read"),
        ({"OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}, ""),
    ],
    ids=["gone", "another protocol", "no size", "disabled", "none"],
)
def test_a_collector_that_is_not_reached_costs_the_run_nothing(
    environ: dict[str, str], more: dict[str, str], says: str
):
    with collector() as seen:
        done = ask(environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.url} | more)
    assert done.returncode == 0, done.stderr
    assert "to stdout" in done.stdout
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == (0 if not says else 2 if "PROTOCOL" in done.stderr else 1)
    assert (seen.spans, seen.logs) == ([], [])


def test_what_opentelemetry_finds_wrong_is_told_once(environ: dict[str, str]):
    with collector() as seen:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.url, "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}
        done = ask(environ | more)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["telemetry: Invalid timeout value 'soon', using default of 10 seconds"]
    assert "sealane query" in {span.name for span in seen.spans}


def test_a_collector_that_does_not_answer_is_not_waited_for_long(environ: dict[str, str]):
    with collector(delay=60) as seen:
        began = time.monotonic()
        done = ask(environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.url})
        took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert "telemetry: not all of it could be sent" in done.stderr
    assert took < 30
