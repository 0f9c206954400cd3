"""The steps' network: what a step sees, what it reaches and what it must not reach, and that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sealane_engine.errors import ServiceError
from sealane_engine.net.network import Network
from sealane_engine.net.uplink import host_addresses

pytestmark = pytest.mark.needs("root")
KINDS = [pytest.param("pasta", marks=pytest.mark.needs("pasta", "tun")), pytest.param(None, id="relay")]


async def away(work, *args):
    return await asyncio.to_thread(work, *args)


@contextlib.contextmanager
def says_hello(host, port=0):
    """A server of the host."""
    with socket.create_server((host, port)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _peer = server.accept()
                    with connection:
                        connection.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def interfaces():
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def children():
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_a_step_has_an_address_a_route_and_no_ipv6(make_step, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            step = make_step()
            address = await network.attach(step.pid)
            addresses = await away(step.run, "ip", "-brief", "address")
            assert f" {address}/16" in addresses
            assert "UP" in addresses.split("eth0")[1]
            assert "fe80" not in addresses
            routes = await away(step.run, "ip", "route")
            assert routes.startswith(f"default via {network.resolv_conf().split()[1].decode()} dev eth0")

    asyncio.run(main())


def test_steps_reach_each_other_by_address_low_ports_too(make_step, serve, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            server, client = make_step(), make_step()
            reserved = network.address()
            assert await network.attach(server.pid, reserved) == reserved
            await network.attach(client.pid)
            await away(serve, server, 80, "from the service")
            assert await away(client.dial, reserved, 80) == "from the service"

    asyncio.run(main())


@pytest.mark.parametrize("pasta", KINDS)
def test_a_step_reaches_no_service_of_the_host(make_step, told, pasta):
    async def main():
        async with Network(told[0], pasta=pasta) as network:
            step = make_step()
            await network.attach(step.pid)
            router = network.resolv_conf().split()[1].decode()
            with says_hello("0.0.0.0") as port:
                own = [str(address) for address in host_addresses()]
                for address in ("127.0.0.1", router, "169.254.169.254", *own):
                    assert "hello" not in await away(step.dial, address, port), address
            with says_hello("127.0.0.1") as port:
                for address in ("127.0.0.1", router, *own):
                    assert "Error" in await away(step.dial, address, port), address

    asyncio.run(main())


@pytest.fixture
def own_namespace():
    """Runs the test's thread in a network namespace of its own, so that it can play the host."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(0x4000_0000) == 0
    yield
    assert libc.setns(home, 0x4000_0000) == 0
    os.close(home)


@pytest.mark.needs("pasta", "tun")
def test_an_address_that_the_host_gets_later_is_refused_too(make_step, told, own_namespace):
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    ip("link", "set", "lo", "up")
    ip("link", "add", "outside", "type", "veth", "peer", "name", "far")
    ip("link", "set", "far", "up")
    ip("address", "add", "203.0.113.2/24", "dev", "outside")
    ip("link", "set", "outside", "up")
    ip("route", "add", "default", "via", "203.0.113.1")

    async def main():
        async with Network(told[0]) as network:
            step = make_step()
            await network.attach(step.pid)
            assert network._uplink.kind == "pasta"
            changed = asyncio.Event()
            refuse = network._router.refuse

            async def refuse_and_tell(networks):
                await refuse(networks)
                changed.set()

            network._router.refuse = refuse_and_tell
            ip("address", "add", "203.0.113.77/32", "dev", "outside")
            await asyncio.wait_for(changed.wait(), 5)
            with says_hello("0.0.0.0") as port:
                for address in ("203.0.113.2", "203.0.113.77"):
                    assert "Error" in await away(step.dial, address, port), address

    asyncio.run(main())


def test_a_hosts_port_that_is_taken_is_an_error_that_names_it(told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            with says_hello("127.0.0.1") as port, pytest.raises(ServiceError) as caught:
                await network.expose_to_host("10.87.0.9", 80, port=port)
            assert caught.value.reason == "port-not-free"
            assert str(port) in caught.value.message

    asyncio.run(main())


@pytest.mark.needs("network")
@pytest.mark.parametrize("pasta", KINDS)
def test_a_step_reaches_the_world_and_its_look_ups_are_told(make_step, told, pasta):
    code = (
        "import sys\nquery = bytes.fromhex('000101000001000000000000') + "
        "b''.join(bytes([len(l)]) + l.encode() for l in 'deb.debian.org'.split('.')) + bytes.fromhex('0000010001')\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(10)\n"
        "s.sendto(query, (sys.argv[1] if len(sys.argv) > 1 else ROUTER, 53))\nreply = s.recv(4096)\n"
        "address = socket.inet_ntoa(reply[-4:])\n"
        "c = socket.create_connection((address, 80), 10)\n"
        "c.sendall(b'HEAD /debian/ HTTP/1.1\\r\\nHost: deb.debian.org\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "print(c.recv(4096)[:8].decode())"
    )

    async def main():
        async with Network(told[0], pasta=pasta) as network:
            step = make_step()
            address = await network.attach(step.pid)
            router = network.resolv_conf().split()[1].decode()
            assert await away(step.python, f"ROUTER = {router!r}\n{code}") == "HTTP/1.1"
            looked_up = [event.data for event in told[1] if event.kind == "lookup"]
            assert looked_up == [{"name": "deb.debian.org", "type": "A", "address": address}]
            warned = [event.data["reason"] for event in told[1] if event.kind == "warning"]
            assert warned == ([] if pasta else ["uplink-relay"])

    asyncio.run(main())


def test_a_hosts_port_leads_to_a_step_and_is_closed_again(make_step, serve, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            step = make_step()
            address = await network.attach(step.pid)
            await away(serve, step, 5432, "from the service")
            forward = await network.expose_to_host(address, 5432)
            reader, writer = await asyncio.open_connection("127.0.0.1", forward.port)
            assert await reader.read() == b"from the service"
            writer.close()
            await forward.aclose()
            await forward.aclose()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", forward.port)

    asyncio.run(main())


@pytest.mark.parametrize("pasta", KINDS)
def test_a_port_of_the_host_is_reachable_only_where_it_was_asked_for(make_step, told, pasta):
    async def main():
        async with Network(told[0], pasta=pasta) as network:
            step = make_step()
            await network.attach(step.pid)
            with says_hello("127.0.0.1") as shown, says_hello("127.0.0.1") as hidden:
                forward = await network.expose_host([(80, "127.0.0.1", shown), (81, "localhost", shown)])
                assert await away(step.dial, forward.address, 80) == "hello"
                assert await away(step.dial, forward.address, 81) == "hello"
                assert "Error" in await away(step.dial, forward.address, hidden)
                await forward.aclose()
                assert "hello" not in await away(step.dial, forward.address, 80)

    asyncio.run(main())


def test_a_listener_inside_a_step_is_served_by_the_engine(make_step, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            step, other = make_step(), make_step()
            address = await network.attach(step.pid)
            await network.attach(other.pid)
            listener = await network.listen_inside(step.pid)
            port = listener.getsockname()[1]

            async def hello(_reader, writer):
                writer.write(b"hello")
                writer.close()

            server = await asyncio.start_server(hello, sock=listener)
            assert await away(step.dial, "127.0.0.1", port) == "hello"
            assert "Error" in await away(other.dial, address, port)
            server.close()
            await server.wait_closed()

    asyncio.run(main())


def test_waiting_for_a_service_ends_when_it_listens_or_in_an_error(make_step, serve, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            step = make_step()
            address = await network.attach(step.pid)
            with pytest.raises(ServiceError) as caught:
                await network.wait_listening(address, 5432, timeout=0.2)
            assert caught.value.reason == "health-timeout"
            waiting = asyncio.create_task(network.wait_listening(address, 5432, timeout=20))
            await away(serve, step, 5432, "ready")
            await waiting

    asyncio.run(main())


def test_an_address_can_be_used_again_at_once(make_step, serve, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            client, first = make_step(), make_step()
            await network.attach(client.pid)
            address = await network.attach(first.pid)
            await away(serve, first, 80, "first")
            assert await away(client.dial, address, 80) == "first"
            second = make_step()
            await network.attach(second.pid, address)  # while the first one's link is still there
            await away(serve, second, 80, "second")
            assert await away(client.dial, address, 80) == "second"

    asyncio.run(main())


def test_a_cancelled_first_attach_does_not_break_the_second(make_step, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            step = make_step()
            first = asyncio.create_task(network.attach(step.pid))
            await asyncio.sleep(0)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await network.attach(make_step().pid)

    asyncio.run(main())


def test_a_step_that_is_gone_is_an_error_and_the_next_one_works(make_step, told):
    async def main():
        async with Network(told[0], pasta=None) as network:
            gone = make_step()
            gone.end()
            with pytest.raises(OSError):
                await network.attach(gone.pid)
            await network.attach(make_step().pid)

    asyncio.run(main())


@pytest.mark.parametrize("pasta", KINDS)
def test_leaving_leaves_no_process_and_no_interface(make_step, told, pasta):
    before = interfaces(), descriptors()

    async def main():
        async with Network(told[0], pasta=pasta) as network:
            await network.attach(make_step().pid)
            await network.expose_host([(80, "127.0.0.1", 9)])
            await network.expose_to_host(network.address(), 80)
            return network

    running = children()
    network = asyncio.run(main())
    assert network._router.keeper._process.returncode is not None
    assert not Path(f"/proc/{network._router.keeper.holder}").exists()
    assert len(children() - running) == 1  # the step of this test
    assert interfaces() == before[0]
    assert descriptors() - before[1] <= 1  # the step's output


_ENGINE = """
import asyncio, sys
from sealane_engine.events import Events
from sealane_engine.net.network import Network
async def main():
    async with Network(Events(), pasta=sys.argv[2] or None) as network:
        await network.attach(int(sys.argv[1]))
        print(network._router.keeper._process.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def family(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            found += [int(c) for c in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return found


def watch(pids):
    """Descriptors of those that are still there: pasta has helpers that end by themselves once it is configured."""
    watched = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            watched.append(os.pidfd_open(pid))
    return watched


@pytest.mark.parametrize("pasta", KINDS)
def test_a_killed_engine_leaves_nothing(make_step, pasta):
    before = interfaces()
    command = [sys.executable, "-c", _ENGINE, str(make_step().pid), pasta or ""]
    source = str(Path(__file__).parents[3] / "src")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source}
    ) as engine:
        try:
            keeper = int(engine.stdout.readline())
            watched = watch(family(keeper))
            assert len(watched) >= (4 if pasta else 3)
        finally:
            engine.send_signal(signal.SIGKILL)
            engine.wait()
    for descriptor in watched:
        assert ended(descriptor, 2)
        os.close(descriptor)
    assert interfaces() == before


def ended(pidfd, seconds):
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


@pytest.mark.needs("pasta", "tun")
def test_an_uplink_that_dies_is_told_and_started_again(make_step, told):
    events, heard = told

    async def main():
        ended = asyncio.Event()
        events.listen(lambda event: ended.set() if event.kind == "warning" else None)
        async with Network(events) as network:
            await network.attach(make_step().pid)
            first = network._uplink._watch
            uplinks = [pid for pid in family(network._router.keeper._process.pid) if is_pasta(pid)]
            os.kill(uplinks[0], signal.SIGKILL)
            await asyncio.wait_for(ended.wait(), 5)
            assert [event.data["reason"] for event in heard] == ["uplink-ended"]
            await asyncio.wait_for(first, 5)
            assert network._uplink.kind == "pasta"

    asyncio.run(main())


def is_pasta(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith(("pasta", "passt"))
    except (FileNotFoundError, ProcessLookupError):  # it forks into the background: its first process has just ended
        return False
