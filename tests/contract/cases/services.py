"""Service: which command one is, and what reaches it."""

from __future__ import annotations

import time

import anyio
import dagger

from .table import FAILS, Cases, base

CASES = case = Cases("service", "core/integration/container_test.go TestContainerAsService")

_SAYS = """import http.server,sys
class H(http.server.BaseHTTPRequestHandler):
  def do_GET(s):
    s.send_response(200);s.end_headers();s.wfile.write(",".join(sys.argv[1:]).encode())
http.server.HTTPServer(("",8080),H).serve_forever()
"""


def says(d: dagger.Client) -> dagger.Container:
    """A container whose service answers the arguments that it was started with."""
    return (
        d.container()
        .from_("python:3.11-slim")
        .with_new_file("/says.py", _SAYS)
        .with_new_file("/app", '#!/bin/sh\nexec python3 /says.py "$@"\n', permissions=0o755)
        .with_entrypoint(["/app", "entrypoint"])
        .with_exposed_port(8080)
    )


async def asked(d: dagger.Client, service: dagger.Service) -> str:
    script = 'exec 3<>/dev/tcp/app/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; tail -n1 <&3'
    return await base(d).with_service_binding("app", service).with_exec(["bash", "-c", script]).stdout()


case(
    "can use default args",
    "an image's arguments follow its entrypoint",
    lambda d: asked(d, says(d).as_service()),
    "entrypoint",
)
case(
    "default args no entrypoint",
    "arguments of the caller's own run without the entrypoint",
    lambda d: asked(d, says(d).with_default_args(["/app", "own"]).as_service()),
    "own",
)
case(
    "can enable entrypoint",
    "the entrypoint is asked for",
    lambda d: asked(d, says(d).with_default_args(["own"]).as_service(use_entrypoint=True)),
    "entrypoint,own",
)
case(
    "can override default args",
    "given arguments run without the entrypoint",
    lambda d: asked(d, says(d).as_service(args=["/app", "given"])),
    "given",
)
case(
    "use both args and entrypoint",
    "given arguments after the entrypoint",
    lambda d: asked(d, says(d).as_service(args=["given"], use_entrypoint=True)),
    "entrypoint,given",
)
case(
    "(core/container.go AsService: the configuration's command, whatever ran before)",
    "a command that ran before is not the service",
    lambda d: asked(d, says(d).with_exec(["/bin/true"]).as_service()),
    "entrypoint",
)
case(
    "error when no cmd and entrypoint is set",
    "no command at all",
    lambda d: asked(d, says(d).without_entrypoint().without_default_args().as_service()),
    FAILS,
)

# ---- the end of one that somebody uses

_CRASHES = "while [ ! -e /checked ]; do sleep 0.05; done; sleep 0.2; echo crashed >&2; exit 42"


def crashing(d: dagger.Client) -> dagger.Service:
    """It ends soon after it was found healthy."""
    service = base(d).with_default_args(["sh", "-c", _CRASHES]).with_docker_healthcheck(["touch", "/checked"])
    return service.as_service()


async def ending(d: dagger.Client, service: dagger.Service) -> str:
    script = f"sleep 30; echo should-not-run # {time.time_ns()}"
    return await base(d).with_service_binding("app", service).with_exec(["sh", "-c", script]).stdout()


def dependent(d: dagger.Client) -> dagger.Service:
    return base(d).with_service_binding("dep", crashing(d)).with_default_args(["sleep", "60"]).as_service()


case(
    "(services_test.go TestExecServiceExitShortCircuits)",
    "the end of a service is that of the step that uses it",
    lambda d: ending(d, crashing(d)),
    FAILS,
)
case(
    "(services_test.go TestServiceDependencyExitShortCircuits)",
    "the end of a service's service is its own",
    lambda d: ending(d, dependent(d)),
    FAILS,
)


async def tunnel_ports(d: dagger.Client) -> object:
    container = base(d).with_default_args(["sleep", "60"]).with_exposed_port(38080, experimental_skip_healthcheck=True)
    forward = dagger.PortForward(backend=8080, frontend=38081)
    tunnel = d.host().tunnel(container.as_service(), native=True, ports=[forward])
    started = await tunnel.start()
    try:
        return [await port.port() for port in await started.ports()]
    finally:
        await started.stop()


case(
    "(services_test.go TestHostToContainer)", "a tunnel's ports, the service's own first", tunnel_ports, [38080, 38081]
)
case(
    "(services_test.go TestHostToContainer no ports to forward)",
    "no tunnel to nothing",
    lambda d: d.host().tunnel(base(d).with_default_args(["sleep", "9"]).as_service()).start(),
    FAILS,
)
case(
    "(services_test.go TestContainerToHost invalid host service)",
    "no host service without ports",
    lambda d: d.host().service([]).start(),
    FAILS,
)


async def stubborn(d: dagger.Client) -> object:
    """One that only notes SIGTERM: it is still there while it is asked to stop, and gone when it is killed."""
    program = (
        "import signal,time\n"
        "signal.signal(15, lambda *_: print('TERM', end='', file=open('/v/told', 'w'), flush=True))\n"
        "open('/ready', 'w')\n"
        "while 1: time.sleep(9)"
    )
    volume = d.cache_volume(f"stubborn-{time.time_ns()}")
    service = (
        d.container()
        .from_("python:3.11-slim")
        .with_mounted_cache("/v", volume)
        .with_docker_healthcheck(["test", "-e", "/ready"])
        .as_service(args=["python3", "-c", program])
        .with_hostname("stubborn")
    )
    await service.start()
    script = f"for i in $(seq 100); do test -s /v/told && break; sleep 0.05; done; cat /v/told; # {time.time_ns()}"
    asks = base(d).with_mounted_cache("/v", volume).with_exec(["sh", "-c", script])
    async with anyio.create_task_group() as group:
        group.start_soon(service.stop)
        told = await asks.stdout()
        await service.stop(kill=True)
    return told


case("(services_test.go TestStartStopKill)", "SIGTERM first, and a kill when asked", stubborn, "TERM")
