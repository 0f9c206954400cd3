"""Real packages install in a sandbox: maintainer scripts, users, services, certificates."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sealane_engine.events import Events
from sealane_engine.net.network import Network
from sealane_engine.sandbox.plan import Content, Mount

from .conftest import ENV, pipes


@pytest.mark.timeout(600)
@pytest.mark.needs("network", "pasta", "tun")
def test_postgresql_installs_runs_and_stops_on_sigterm(in_sandboxes):
    async def body(box):
        async with Network(Events()) as network:
            await network.prepare()
            mounts = (
                Mount("/etc/resolv.conf", Content(network.resolv_conf(), mode=0o644)),
                Mount("/etc/hosts", Content(b"127.0.0.1 localhost sealane\n", mode=0o644)),
                *host_trust(),
            )
            env = (*ENV, ("DEBIAN_FRONTEND", "noninteractive"))
            script = "set -e; apt-get update; apt-get install -y --no-install-recommends ca-certificates postgresql-15 iputils-ping"
            ran = await box.sh(script, mounts=mounts, env=env, before_exec=network.attach)
            assert ran.code == 0, (ran.out[-3000:], ran.err[-3000:])
            above = f"{ran.root.staging}/fs"
            ran = await box.sh(
                "setpriv --reuid 1000 --regid 1000 --clear-groups ping -c1 127.0.0.1 && tail -c1 /etc/ssl/certs/ca-certificates.crt",
                mounts=mounts, before_exec=network.attach, root=box.debian.root("ping", above),
            )  # fmt: skip
            assert ran.code == 0, ran

            binaries = "/usr/lib/postgresql/15/bin"
            serve = (
                f"set -e; {binaries}/initdb -D /tmp/db >/dev/null; echo \"unix_socket_directories = ''\" >> /tmp/db/postgresql.conf;"
                f"exec {binaries}/postgres -D /tmp/db"
            )
            owner = postgres_ids(box.debian.home / above / "etc/passwd")
            plan = box.plan(
                "sh", "-c", serve, root=box.debian.root("db", above), mounts=mounts, uid=owner[0], gid=owner[1]
            )
            address = network.address()

            async def attach(pid):
                await network.attach(pid, address)

            with pipes() as (stdin, stdout, stderr, read):
                process = await box.backend.start(plan, stdin=stdin, stdout=stdout, stderr=stderr, before_exec=attach)
                reading = asyncio.ensure_future(read())
                with pipes() as (stdin2, stdout2, stderr2, read2):
                    ready = f"until {binaries}/pg_isready -h 127.0.0.1; do sleep 0.1; done"
                    probe = await process.exec(
                        box.plan("sh", "-c", ready).command, stdin=stdin2, stdout=stdout2, stderr=stderr2
                    )
                    assert "accepting connections" in (await read2())[0]
                    assert (await probe.wait()).code == 0
                await process.signal(signal.SIGTERM)
                assert (await process.wait()).code == 0
                assert "database system is shut down" in (await reading)[1]
            network.release(address)

    in_sandboxes(body)


def host_trust() -> tuple[Mount, ...]:
    """How this machine reaches Debian: its proxies and certificates for apt."""
    lines = [
        f'Acquire::{scheme}::Proxy "{proxy}";'
        for scheme in ("http", "https")
        if (proxy := os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY"))
    ]
    lines += [
        line
        for path in sorted(Path("/etc/apt/apt.conf.d").glob("*"))
        for line in path.read_text().splitlines()
        if line.startswith("Acquire::") and "CaInfo" not in line
    ]
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    mounts = [Mount("/etc/apt/apt.conf.d/99-host", Content(("\n".join(lines) + "\n").encode(), mode=0o644))]
    if bundle.exists():
        text = f'Acquire::https::CaInfo "{"/run/host-ca.crt"}";\n'.encode()
        mounts.append(Mount("/run/host-ca.crt", Content(bundle.read_bytes(), mode=0o644)))
        mounts.append(Mount("/etc/apt/apt.conf.d/98-ca", Content(text, mode=0o644)))
    return tuple(mounts)


def postgres_ids(passwd: Path) -> tuple[int, int]:
    row = next(line.split(":") for line in passwd.read_text().splitlines() if line.startswith("postgres:"))
    return int(row[2]), int(row[3])
