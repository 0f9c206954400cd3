"""The client for what is attached, against a small registry on the loopback that answers as it is told."""

from __future__ import annotations

import http.server
import json
import ssl
import threading

import anyio
import pytest

from sealane.attest import registry
from sealane.errors import ConfigError, RegistryFailed
from sealane_engine.oci.hosts import Host

DIGEST = "sha256:" + "1" * 64


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        status, headers, body = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def answering():
    """Ask a server that gives these answers in turn; what the client got, and what it had asked."""

    def run(answers, work, login=None, *, tls=None, trust=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.answers, server.asked = list(answers), []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        async def ask():
            where = registry.address(f"127.0.0.1:{server.server_port}/a/b:v1")
            endpoint = f"https://{where.host}" if tls else ""
            async with registry.Repository(where, login, endpoint=endpoint, trust=trust) as repository:
                return await work(repository)

        try:
            return anyio.run(ask), server.asked
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    return run


def ok(body: bytes, kind: str = registry.MANIFEST):
    return 200, {"Content-Type": kind}, body


def test_a_busy_registry_is_asked_again_when_it_says(answering):
    answers = [(429, {"Retry-After": "0"}, b""), (503, {"Retry-After": "0"}, b""), ok(b"{}")]
    found, asked = answering(answers, lambda r: r.manifest("v1"))
    assert found.body == {}
    assert len(asked) == 3


def test_one_that_wants_us_to_wait_for_an_hour_is_not_waited_for(answering):
    with pytest.raises(RegistryFailed, match="answers 429"):
        answering([(429, {"Retry-After": "3600"}, b"")], lambda r: r.manifest("v1"))


def page(digit, following=""):
    listed = {"manifests": [{"mediaType": registry.MANIFEST, "digest": f"sha256:{digit * 64}", "size": 1}]}
    status, headers, body = ok(json.dumps(listed).encode(), registry.INDEX)
    return status, headers | ({"Link": f'<{following}>; rel="next"'} if following else {}), body


def test_what_is_attached_is_read_to_the_last_page(answering):
    answers = [page("1", "/v2/a/b/referrers/x?n=2"), page("2", "x?n=3"), page("3")]
    found, asked = answering(answers, lambda r: r.referrers(DIGEST))
    assert [each.digest[7] for each in found] == ["1", "2", "3"]
    assert [path for path, _ in asked][1:] == ["/v2/a/b/referrers/x?n=2", "/v2/a/b/referrers/x?n=3"]


def test_a_list_without_end_is_an_error(answering):
    with pytest.raises(RegistryFailed) as error:
        answering([page("1", "again")] * registry.MAX_PAGES, lambda r: r.referrers(DIGEST))
    assert error.value.reason == "bad-manifest"


def test_a_login_is_given_to_the_registry_that_asks(answering):
    challenge = (401, {"WWW-Authenticate": 'Basic realm="r"'}, b"")
    found, asked = answering([challenge, ok(b"{}")], lambda r: r.manifest("v1"), registry.Login("me", "pw"))
    assert found is not None
    assert [sent for _, sent in asked] == ["", "Basic bWU6cHc="]
    with pytest.raises(RegistryFailed) as error:
        answering([challenge], lambda r: r.manifest("v1"))
    assert error.value.reason == "registry-refused"


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(answering):
    with pytest.raises(RegistryFailed) as error:
        answering([ok(b"{}")], lambda r: r.manifest(DIGEST))
    assert error.value.reason == "digest-mismatch"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"[" * 100_000])
def test_a_page_is_no_manifest(answering, body):
    with pytest.raises(RegistryFailed) as error:
        answering([ok(body)], lambda r: r.manifest("v1"))
    assert error.value.reason == "bad-manifest"


def test_referrers_come_from_the_api_or_from_the_fallback_tag(answering):
    entry = {"mediaType": registry.MANIFEST, "digest": DIGEST, "size": 2, "artifactType": "text/plain"}
    index = json.dumps({"mediaType": registry.INDEX, "manifests": [entry]}).encode()
    found, asked = answering([ok(index, registry.INDEX)], lambda r: r.referrers(DIGEST))
    assert [(each.digest, each.artifact_type) for each in found] == [(DIGEST, "text/plain")]
    assert asked[0][0] == f"/v2/a/b/referrers/{DIGEST}"
    found, asked = answering([(404, {}, b""), ok(index, registry.INDEX)], lambda r: r.referrers(DIGEST))
    assert len(found) == 1
    assert asked[1][0] == f"/v2/a/b/manifests/{registry.fallback_tag(DIGEST)}"


@pytest.mark.parametrize("text", ["", "app", "owner/app:v1", "Ghcr.io/A/b", "ghcr.io/a/b@sha256:1", "ghcr.io/a/b:-x"])
def test_what_is_no_address(text):
    with pytest.raises(ConfigError) as error:
        registry.address(text)
    assert error.value.reason == "bad-reference"


def test_a_certificate_is_taken_when_its_authority_is_trusted(answering, certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trust = Host(ca=(str(certificate / "cert.pem"),)).context()
    found, _ = answering([ok(b"{}")], lambda r: r.manifest("v1"), tls=tls, trust=trust)
    assert found.body == {}
    with pytest.raises(RegistryFailed, match="can't be reached"):
        answering([], lambda r: r.manifest("v1"), tls=tls)
