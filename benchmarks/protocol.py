"""What the protocol costs: start-up, a trivial request, walking long chains. Needs no sandbox.

    python benchmarks/protocol.py

Prints the best of several repeats, for a machine is rarely quiet.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from sealane_engine.protocol.client import Client, Clients
from sealane_engine.protocol.endpoint import Endpoint
from sealane_engine.protocol.ids import IdTable
from sealane_engine.protocol.introspect import STANDARD_QUERY
from sealane_engine.protocol.schema import Schema
from sealane_engine.protocol.server import Server
from sealane_engine.protocol.walk import execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealane_engine.protocol.call import Call

REPEATS = 7
CLIENT = Client("bench", "token")


class Constant:
    """A resolver that costs nothing."""

    def prepare(self, client: Client, owner: str, field: str, args: dict[str, Any]) -> tuple[dict[str, Any], str]:
        del client, owner, field
        return args, ""

    async def value(self, client: Client, call: Call) -> Any:
        del client, call
        return "value"

    async def elements(self, client: Client, call: Call) -> int | None:
        del client, call
        return 1

    async def exists(self, client: Client, call: Call) -> bool:
        del client, call
        return True


def best(work: Callable[[], float]) -> float:
    """Seconds."""
    return min(work() for _ in range(REPEATS))


def chain(depth: int) -> str:
    """A chain as dagger-io prints it, indentation included."""
    lines = ["{", "  container {"]
    lines += [f'{"  " * (n + 2)}withExec: withExec(args: ["echo", "{n}"]) {{' for n in range(depth)]
    lines += [f"{'  ' * (depth + 2)}stdout", "}" * (depth + 2)]
    return "\n".join(lines)


def walk(document: str, schema: Schema) -> float:
    async def once() -> float:
        started = time.perf_counter()
        await execute(document, None, None, schema=schema, resolver=Constant(), client=CLIENT, ids=IdTable())
        return time.perf_counter() - started

    return asyncio.run(once())


def requests(document: str, schema: Schema, count: int) -> float:
    """Seconds per request, one after another on one kept connection; server and client share the process."""

    async def run() -> float:
        clients = Clients()
        clients.add(CLIENT)
        endpoint = Endpoint(clients=clients, resolver=Constant(), ids=IdTable(), schema=lambda _: schema)
        async with Server(endpoint) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", await server.listen())
            body = json.dumps({"query": document}).encode()
            authorization = b64encode(f"{CLIENT.token}:".encode()).decode()
            head = f"POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {authorization}\r\n"
            request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            started = time.perf_counter()
            for _ in range(count):
                writer.write(request)
                top = await reader.readuntil(b"\r\n\r\n")
                size = int(top.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(size)
            taken = time.perf_counter() - started
            writer.close()
            await writer.wait_closed()
            return taken / count

    return asyncio.run(run())


def imports() -> float:
    code = (
        "import time; t = time.perf_counter()\n"
        "import asyncio; a = time.perf_counter()\n"
        "from sealane_engine.protocol import endpoint, server, http1\n"
        "from sealane_engine.protocol.schema import Schema\n"
        "Schema.load(); print(time.perf_counter() - a)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=Path(__file__).parent.parent / "src"
    )
    return float(out.stdout)


def main() -> None:
    schema = Schema.load()
    print(f"import (after asyncio) and schema   {best(imports) * 1e3:8.1f} ms")
    print(f"request {{version}}, keep-alive       {best(lambda: requests('{version}', schema, 500)) * 1e6:8.0f} us")
    print(
        f"introspection, from a fresh schema  {best(lambda: requests(STANDARD_QUERY, Schema.load(), 1)) * 1e3:8.1f} ms"
    )
    for depth in (200, 1000, 5000):
        document = chain(depth)
        seconds = best(lambda: walk(document, schema))  # noqa: B023 - called at once
        print(
            f"walk a chain of {depth:>4} ({len(document) / 1024:8,.0f} KiB)  {seconds * 1e3:8.1f} ms  {seconds / depth * 1e6:.1f} us/field"
        )


if __name__ == "__main__":
    main()
