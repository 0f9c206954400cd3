"""Service: which command one is, and what reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import FAILS, Cases, base

if TYPE_CHECKING:
    import dagger

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
