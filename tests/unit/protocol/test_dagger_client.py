"""The unmodified dagger-io client against our server with a fake resolver behind it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from sealane_engine.protocol.client import Client, Clients
from sealane_engine.protocol.endpoint import Endpoint
from sealane_engine.protocol.ids import IdTable
from sealane_engine.protocol.schema import Schema
from sealane_engine.protocol.server import Server

from .fake import FakeResolver

SCRIPT = textwrap.dedent("""
    import anyio, dagger, json
    from dagger import dag

    async def main():
        told = {}
        async with dagger.connection():
            base = dag.container().from_("alpine")
            told["chain"] = await base.with_exec(["echo", "hi"]).stdout()
            told["list"] = [await v.name() for v in await base.env_variables()]
            told["sync"] = await (await base.with_workdir("/x").sync()).stdout()
            told["awaited"] = await (await base).stdout()
            source = dag.host().directory("./src", exclude=[".git"])
            told["argument"] = await base.with_mounted_directory("/src", source).stdout()
            await base.with_exec(["x"], expect=dagger.ReturnType.ANY).stdout()
            await base.with_mounted_cache("/c", dag.cache_volume("k"), sharing=dagger.CacheSharingMode.LOCKED).stdout()
            await base.with_files("/f", [dag.file("a", "b"), dag.file("c", "d")]).stdout()
            svc = base.with_exposed_port(5432).as_service()
            await dag.container().with_service_binding("db", svc).stdout()
            await svc.start()
            await base.as_service().up(ports=[dagger.PortForward(backend=80, frontend=8080)])
            told["kind"] = (await dag.type_def().with_kind(dagger.TypeDefKind.STRING_KIND).kind()).name
            told["loaded"] = await dag.load_container_from_id(dagger.ContainerID(await base.id())).stdout()
            told["absent"] = await base.env_variable("NOPE")
            told["deprecated"] = await dag.git("u", keep_git_dir=False).head().tree().name()
            try:
                await base.with_exec(["false"]).exit_code()
            except dagger.ExecError as e:
                told["error"] = [e.exit_code, e.command, e.stdout, e.stderr, str(e)]
            try:
                await base.label("boom")
            except dagger.QueryError as e:
                told["query error"] = e.errors[0].message
        print(json.dumps(told))

    anyio.run(main)
""")


async def drive(resolver: FakeResolver, script: Path) -> tuple[str, str]:
    clients = Clients()
    client = clients.add(Client("test", "tok-123"))
    schema = Schema.load()
    endpoint = Endpoint(clients=clients, resolver=resolver, ids=IdTable(), schema=lambda _: schema)
    async with Server(endpoint) as server:
        port = await server.listen()
        env = {**os.environ, "DAGGER_SESSION_PORT": str(port), "DAGGER_SESSION_TOKEN": client.token}
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        return out.decode(), err.decode()


def test_the_client_runs_chains_lists_enums_and_errors(tmp_path):
    import json

    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    resolver = FakeResolver(kind="STRING_KIND", up=None, envVariable=None, label=KeyError("boom"))
    out, err = asyncio.run(drive(resolver, script))
    assert out, err
    told = json.loads(out)
    assert told == {
        "chain": "container.from.withExec.stdout",
        "list": ["name1", "name2", "name3"],
        "sync": "container.from.withWorkdir.stdout",
        "awaited": "container.from.stdout",
        "argument": "container.from.withMountedDirectory.stdout",
        "kind": "STRING_KIND",
        "loaded": "container.from.stdout",
        "absent": None,
        "deprecated": "name0",
        "error": [3, ["sh", "-c", "exit 3"], "out", "err", "exit code: 3"],
        "query error": "internal error: KeyError: 'boom'",
    }
    mounted = next(args for _, field, args in resolver.prepared if field == "withMountedDirectory")
    assert [call.field for call in (mounted["source"], mounted["source"].receiver)] == ["directory", "host"]
    assert mounted["source"].arguments() == {"path": "./src", "exclude": (".git",)}
    cache = next(args for _, field, args in resolver.prepared if field == "withMountedCache")
    assert cache["sharing"] == "LOCKED"
    files = next(args for _, field, args in resolver.prepared if field == "withFiles")
    assert [one.arguments()["name"] for one in files["sources"]] == ["a", "c"]
    up = next(call for call in resolver.asked if call.field == "up")
    assert up.arguments() == {"ports": ({"frontend": 8080, "backend": 80},)}
