"""Registries by configuration: plain HTTP and certificates, with a registry that speaks TLS with its own authority."""

import asyncio
import contextlib
import json
import ssl

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.oci import hosts, manifest
from sealane_engine.oci.hosts import Host
from sealane_engine.oci.registry import Registry, Unreachable

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": manifest.MEDIA_MANIFEST}).encode()


def ask(certificate, settings):
    """A manifest of a registry that speaks TLS, for a client that takes this machine for any other."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(MANIFEST)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + MANIFEST)
            await writer.drain()
        writer.close()

    async def main():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            registry = Registry(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", None, None, settings)
            registry._base = registry._base.replace("http://", "https://")
            registry._asked_docker = True
            try:
                return await registry.manifest("a/b", "1")
            finally:
                await registry.close()

    return asyncio.run(main())


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate):
    with pytest.raises(Unreachable):
        ask(certificate, Host())


@pytest.mark.parametrize("how", ["ca", "insecure"])
def test_it_is_taken_when_the_settings_say_so(certificate, how):
    settings = Host(ca=(str(certificate / "cert.pem"),)) if how == "ca" else Host(insecure=True)
    assert ask(certificate, settings).digest == manifest.digest(MANIFEST)


def test_authorities_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        Host(ca=(str(tmp_path / "none.pem"),)).context()
    assert caught.value.reason == "bad-engine-config"
    assert "none.pem" in caught.value.message


def test_plain_http_is_spoken_to_a_registry_whose_settings_say_so():
    assert Registry("registry.example.org")._base == "https://registry.example.org"
    assert Registry("registry.example.org", None, None, Host(http=True))._base == "http://registry.example.org"


def test_the_file_is_daggers(tmp_path):
    path = hosts.default_path({"XDG_CONFIG_HOME": str(tmp_path)})
    assert hosts.read(path) == {}
    path.parent.mkdir()
    path.write_text(
        '{"gc": {}, "registries": {"docker.io": {"mirrors": ["mirror.example.org"]}, "a:5000": {"http": true}}}'
    )
    assert hosts.read(path) == {"docker.io": Host(("mirror.example.org",)), "a:5000": Host(http=True)}
    path.write_text("{")
    with pytest.raises(InvalidInput) as caught:
        hosts.read(path)
    assert caught.value.reason == "bad-engine-config"
