"""The registry client: what it asks, whom it tells secrets, and what it doesn't believe."""

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from sealane_engine.errors import ImageError, NotFound
from sealane_engine.oci import credentials, manifest
from sealane_engine.oci.credentials import Credentials
from sealane_engine.oci.descriptor import Descriptor
from sealane_engine.oci.patience import Patience
from sealane_engine.oci.registry import MAX_MANIFEST_BYTES, Registry, Unreachable

BLOB = bytes(range(256)) * 400
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
PROMISED = Descriptor(manifest.MEDIA_LAYER, DIGEST, len(BLOB))
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": manifest.MEDIA_MANIFEST}).encode()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a retry waits is no part of what these tests are about."""
    monkeypatch.setattr("sealane_engine.oci.patience.backoff", lambda _attempt: 0.0)


class Fake:
    """An HTTP server on loopback: `answer(path, headers)` -> (status, headers, body[, bytes to send before cutting])."""

    def __init__(self, answer):
        self.answer, self.seen = answer, []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            method, path, _ = request.split()
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.seen.append((method, path, headers))
            if body:
                headers["body"] = body.decode()
            answer = self.answer(path, headers)
            if answer is None:  # nothing but the end of the connection
                writer.close()
                return
            status, more, content, *cut = answer
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\nConnection: close\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in more.items()).encode() + b"\r\n")
            writer.write(content[: cut[0]] if cut else content)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def ask(answer, action, login=None, *, other=None, patience=None):
    """Run `action(registry, fake, other)` against a fake registry."""

    async def main():
        async with contextlib.AsyncExitStack() as stack:
            second = await stack.enter_async_context(Fake(other)) if other else None
            first = await stack.enter_async_context(Fake(lambda path, headers: answer(path, headers, second)))
            registry = Registry(first.host, login, patience)
            registry._asked_docker = True
            stack.push_async_callback(registry.close)
            return await action(registry), first, second

    return asyncio.run(main())


def get_manifest(registry):
    return registry.manifest("a/b", "1")


async def get_blob(registry):
    sink = io.BytesIO()
    await registry.blob("a/b", PROMISED, sink)
    return sink.getvalue()


def test_a_manifest_is_asked_for_with_every_type_we_know():
    found, fake, _ = ask(lambda *_: (200, {"Content-Type": manifest.MEDIA_MANIFEST}, MANIFEST), get_manifest)
    assert found.digest == manifest.digest(MANIFEST)
    assert found.media_type == manifest.MEDIA_MANIFEST
    assert fake.seen[0][1] == "/v2/a/b/manifests/1"
    assert manifest.MEDIA_INDEX in fake.seen[0][2]["accept"]
    assert "authorization" not in fake.seen[0][2]


def test_basic_authentication():
    def answer(_path, headers, _):
        if "authorization" not in headers:
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return 200, {}, MANIFEST

    _, fake, _ = ask(answer, get_manifest, Credentials("me", "secret"))
    assert fake.seen[1][2]["authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()


def test_a_token_is_fetched_once_and_renewed_when_it_expires():
    valid = ["t1"]

    def answer(path, headers, _):
        if path.startswith("/token"):
            assert "scope=repository%3Aa%2Fb%3Apull" in path
            return 200, {}, json.dumps({"token": valid[-1]}).encode()
        if headers.get("authorization") != f"Bearer {valid[-1]}":
            realm = f'Bearer realm="http://{headers["host"]}/token",service="s",scope="repository:a/b:pull"'
            return 401, {"WWW-Authenticate": realm}, b""
        return 200, {}, MANIFEST

    async def twice(registry):
        await get_manifest(registry)
        await get_manifest(registry)
        valid.append("t2")
        await get_manifest(registry)

    _, fake, _ = ask(answer, twice)
    assert sum(path.startswith("/token") for _, path, _ in fake.seen) == 2


def test_credentials_do_not_follow_a_redirect_to_another_host():
    def answer(path, headers, second):
        if "authorization" not in headers:
            return 401, {"WWW-Authenticate": "Basic"}, b""
        return 307, {"Location": f"http://{second.host}/elsewhere"}, b""

    data, _, other = ask(answer, get_blob, Credentials("me", "secret"), other=lambda *_: (200, {}, BLOB))
    assert data == BLOB
    assert "authorization" not in other.seen[0][2]


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_no_is_an_error_that_says_what_to_do(status):
    with pytest.raises(ImageError) as caught:
        ask(lambda *_: (status, {"Retry-After": "3600"}, b"no"), get_manifest)
    assert caught.value.reason == "registry-refused"
    assert str(status) in str(caught.value)
    assert caught.value.hint


def test_what_is_not_there_is_not_found():
    with pytest.raises(NotFound):
        ask(lambda *_: (404, {}, b"{}"), get_manifest)


def test_a_busy_registry_is_asked_again():
    answers = iter([(429, {"Retry-After": "0"}, b""), (503, {}, b""), (200, {}, MANIFEST)])
    found, _, _ = ask(lambda *_: next(answers), get_manifest)
    assert found.digest == manifest.digest(MANIFEST)


def test_a_wait_that_a_registry_asks_for_is_said_and_kept():
    answers = iter([(429, {"Retry-After": "1"}, b""), (200, {}, MANIFEST)])
    said = []
    begun = time.monotonic()
    _, fake, _ = ask(lambda *_: next(answers), get_manifest, patience=Patience(60.0, said.append))
    assert time.monotonic() - begun >= 1
    assert len(fake.seen) == 2
    (line,) = said
    assert f"{fake.host} answers 429: waiting 1 s" in line
    assert "SEALANE_REGISTRY_WAIT=60" in line


@pytest.mark.parametrize(("asked", "limit", "requests"), [("3600", 60.0, 1), ("0", 3.0, 4), ("1", 0.0, 1)])
def test_waits_have_a_bound_in_all_and_the_error_names_it(asked, limit, requests):
    said, counted = [], []

    def answer(path, *_):
        counted.append(path)
        return 429, {"Retry-After": asked}, b"no"

    with pytest.raises(ImageError) as caught:
        ask(answer, get_manifest, patience=Patience(limit, said.append))
    assert caught.value.reason == "registry-refused"
    assert "SEALANE_REGISTRY_WAIT=" in caught.value.hint
    assert len(counted) == requests
    assert said == []


def test_a_registry_may_name_the_hour():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=3000), usegmt=True)
    with pytest.raises(ImageError) as caught:
        ask(lambda *_: (503, {"Retry-After": later}, b""), get_manifest)
    assert "it asks to wait 2999 s" in caught.value.hint or "it asks to wait 3000 s" in caught.value.hint


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"Docker-Content-Digest": "sha256:" + "0" * 64}, MANIFEST, "digest-mismatch"),
        ({"Content-Type": "text/html"}, b"<html>log in</html>", "bad-manifest"),
        ({}, b"[1]", "bad-manifest"),
        ({}, b"[" * 100_000, "bad-manifest"),
        ({}, b" " * (MAX_MANIFEST_BYTES + 1), "bad-manifest"),
    ],
)
def test_a_manifest_that_lies_is_refused(headers, body, reason):
    with pytest.raises(ImageError) as caught:
        ask(lambda *_: (200, headers, body), get_manifest)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"x" * len(BLOB), "digest-mismatch"),
        (BLOB + b"more", "size-mismatch"),
        (BLOB[:-1], "size-mismatch"),
        (b"", "size-mismatch"),
    ],
)
def test_a_blob_that_is_another_is_refused(body, reason):
    with pytest.raises(ImageError) as caught:
        ask(
            lambda _path, headers, _: (206 if "range" in headers else 200, {}, b"" if "range" in headers else body),
            get_blob,
        )
    assert caught.value.reason == reason
    assert DIGEST in str(caught.value)


def test_a_download_goes_on_where_it_broke():
    def answer(_path, headers, _):
        start = int(headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start < 60_000:
            return (206 if start else 200), {}, BLOB[start:], 30_000
        return 206, {}, BLOB[start:]

    data, fake, _ = ask(answer, get_blob)
    assert data == BLOB
    assert len(fake.seen) == 3


CUTS = [*range(0, len(BLOB), len(BLOB) // 19), len(BLOB) - 1]


@pytest.mark.parametrize("cut", CUTS)
def test_a_download_that_is_cut_anywhere_goes_on_there(cut):
    cuts = iter([cut])

    def answer(_path, headers, _):
        start = int(headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        return 206 if start else 200, {}, BLOB[start:], next(cuts, len(BLOB))

    data, fake, _ = ask(answer, get_blob)
    assert data == BLOB
    assert [headers.get("range") for _, _, headers in fake.seen] == [None, f"bytes={cut}-" if cut else None]


def test_a_connection_that_ends_before_its_answer_is_made_again():
    answers = iter([None, (200, {}, MANIFEST, 5), (200, {}, MANIFEST)])
    found, fake, _ = ask(lambda *_: next(answers), get_manifest)
    assert found.digest == manifest.digest(MANIFEST)
    assert len(fake.seen) == 3


def test_a_connection_that_always_breaks_is_an_error():
    with pytest.raises(ImageError) as caught:
        ask(lambda *_: None, get_manifest)
    assert caught.value.reason == "registry-failed"


def test_a_token_that_expires_in_the_middle_of_a_download_is_renewed():
    valid = ["t1", "t2"]

    def answer(path, headers, _):
        if path.startswith("/token"):
            return 200, {}, json.dumps({"token": valid[0]}).encode()
        if headers.get("authorization") != f"Bearer {valid[0]}":
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["host"]}/token",service="s"'}, b""
        if "range" in headers:
            return 206, {}, BLOB[int(headers["range"][6:-1]) :]
        del valid[0]  # the answer is cut, and the token is no good any more
        return 200, {}, BLOB, 50_000

    data, fake, _ = ask(answer, get_blob)
    assert data == BLOB
    assert sum(path.startswith("/token") for _, path, _ in fake.seen) == 2


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"[]", b'{"token": 7}', b'{"token": "a\\nb"}'])
def test_a_token_service_that_gives_no_token(body):
    def answer(path, headers, _):
        if path.startswith("/token"):
            return 200, {}, body
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{headers["host"]}/token"'}, b""

    with pytest.raises(ImageError) as caught:
        ask(answer, get_manifest)
    assert caught.value.reason == "registry-failed"


def test_a_registry_without_ranges_starts_again():
    sizes = iter([1_000, 2_000])

    def answer(*_):
        size = next(sizes, None)
        return (200, {}, BLOB, size) if size else (200, {}, BLOB)

    assert ask(answer, get_blob)[0] == BLOB


def test_a_registry_that_is_not_there_is_unreachable():
    async def main():
        registry = Registry("127.0.0.1:9")
        try:
            await registry.manifest("a", "b")
        finally:
            await registry.close()

    with pytest.raises(Unreachable):
        asyncio.run(main())


@pytest.mark.parametrize(
    "realm",
    ["file:///etc/passwd", "http://169.254.169.254/latest", "http://example.org/token", "", "https://127.0.0.1/t"],
)
def test_a_public_registry_cannot_send_us_anywhere(realm):
    with pytest.raises(ImageError) as caught:
        Registry("registry.example.org")._check_address(realm, "asks for a token of")
    assert caught.value.reason == "bad-redirect"


def test_redirects_end():
    with pytest.raises(ImageError) as caught:
        ask(lambda path, *_: (302, {"Location": path + "x"}, b""), get_manifest)
    assert caught.value.reason == "redirect-loop"


def test_docker_s_configuration_is_read(tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-fake"
    helper.write_text('#!/bin/sh\nread host\nprintf \'{"Username":"h","Secret":"for %s"}\' "$host"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    config = tmp_path / "config.json"
    auth = base64.b64encode(b"me:pass:word").decode()
    settings = {
        "auths": {"r.example": {"auth": auth}, "https://index.docker.io/v1/": {"identitytoken": "t"}},
        "credHelpers": {"h.example": "fake"},
    }
    config.write_text(json.dumps(settings))

    def find(host):
        return asyncio.run(credentials.find(host, config))

    assert find("r.example") == Credentials("me", "pass:word")
    assert find("h.example") == Credentials("h", "for h.example")
    assert find("docker.io") == Credentials("", token="t")
    assert find("other.example") is None
    assert "pass" not in repr(find("r.example"))
