"""Pushing: what a registry may ask for, where uploads go on, and whom the credentials reach."""

import asyncio
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sealane_engine.errors import ImageError
from sealane_engine.oci import patience
from sealane_engine.oci import push as pushing
from sealane_engine.oci.credentials import Credentials
from sealane_engine.oci.push import Pusher, Source

BLOB = bytes(range(256)) * 40
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"


class Fake:
    """A registry that keeps what is uploaded. `before(request)` may answer instead: (status, headers), or "cut"."""

    def __init__(self, before=lambda _: None):
        self.before, self.seen, self.blobs, self.upload = before, [], {}, bytearray()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, headers=()):
                self.send_response(status)
                for name, value in {"Content-Length": "0", **dict(headers)}.items():
                    self.send_header(name, value)
                self.end_headers()

            def handle_any(self):
                outer.seen.append((self.command, self.path, dict(self.headers)))
                size = int(self.headers.get("Content-Length") or 0)
                said = outer.before(self)
                if said == "cut":
                    outer.upload += self.rfile.read(min(size, 1500))
                    self.close_connection = True
                    self.connection.close()
                    return
                body = self.rfile.read(size)
                if said is not None:
                    self.answer(*said)
                    return
                outer.serve(self, body)

            do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def serve(self, request, body):
        command, path = request.command, request.path
        location = {"Location": "/v2/a/b/blobs/uploads/1?state=x"}
        if "/manifests/" in path:
            request.answer(201)
        elif command == "HEAD":
            request.answer(200 if path.rpartition("/")[2] in self.blobs else 404)
        elif command == "POST" and "mount=" in path:
            request.answer(202, location)
        elif command == "POST":
            self.upload = bytearray()
            request.answer(202, location)
        elif command == "GET":
            request.answer(204, {**location, "Range": f"0-{len(self.upload) - 1}"})
        else:
            self.upload += body
            if command == "PATCH":
                request.answer(202, location)
            else:
                self.blobs[re.search("digest=([^&]*)", path)[1].replace("%3A", ":")] = bytes(self.upload)
                request.answer(201)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@pytest.fixture
def fake():
    made = []

    def make(before=lambda _: None):
        made.append(Fake(before))
        return made[-1]

    yield make
    for each in made:
        each.close()


def upload(host, login=None, mounts=()):
    async def main():
        registry = Pusher(host, login)
        registry._asked_docker = True
        try:
            await registry.upload("a/b", Source(DIGEST, len(BLOB), data=BLOB), mounts)
            await registry.put_manifest("a/b", "v1", "application/json", b"{}")
        finally:
            await registry.close()

    asyncio.run(main())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(patience, "backoff", lambda _: 0.001)


def test_a_small_blob_is_sent_at_once_and_not_again(fake):
    registry = fake()
    upload(registry.host)
    upload(registry.host)
    assert registry.blobs == {DIGEST: BLOB}
    methods = [method for method, _, _ in registry.seen]
    assert methods == ["HEAD", "POST", "PUT", "PUT", "HEAD", "PUT"]


def test_a_large_blob_is_sent_in_chunks(fake, monkeypatch):
    monkeypatch.setattr(pushing, "CHUNK_BYTES", 4000)
    registry = fake()
    upload(registry.host)
    assert registry.blobs == {DIGEST: BLOB}
    ranges = [headers["Content-Range"] for method, _, headers in registry.seen if method == "PATCH"]
    assert ranges == ["0-3999", "4000-7999", "8000-10239"]


def test_an_upload_that_breaks_goes_on_where_it_broke(fake, monkeypatch):
    monkeypatch.setattr(pushing, "CHUNK_BYTES", 4000)
    cuts = iter(["cut"])
    registry = fake(lambda request: next(cuts, None) if request.headers.get("Content-Range") == "4000-7999" else None)
    upload(registry.host)
    assert registry.blobs == {DIGEST: BLOB}
    ranges = [headers["Content-Range"] for method, _, headers in registry.seen if method == "PATCH"]
    assert ranges[:3] == ["0-3999", "4000-7999", "5500-9499"]


def test_a_busy_registry_says_when(fake):
    answers = iter([(429, {"Retry-After": "0"}), (503, {})])
    registry = fake(lambda _: next(answers, None))
    upload(registry.host)
    assert registry.blobs == {DIGEST: BLOB}


def test_a_registry_that_says_later_is_believed(fake):
    registry = fake(lambda _: (429, {"Retry-After": "3600"}))
    with pytest.raises(ImageError) as caught:
        upload(registry.host)
    assert caught.value.reason == "registry-refused"
    assert "SEALANE_REGISTRY_WAIT=3600" in caught.value.hint
    assert len(registry.seen) == 1


def test_credentials_stay_with_the_registry(fake):
    other = fake()

    def before(request):
        if not request.headers.get("Authorization"):
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}
        if request.command == "POST":
            return 202, {"Location": f"http://{other.host}/elsewhere?key=1"}
        return None

    registry = fake(before)
    upload(registry.host, Credentials("me", "secret"))
    assert other.blobs == {DIGEST: BLOB}
    assert all("Authorization" not in headers for _, _, headers in other.seen)
    assert "Authorization" in registry.seen[-1][2]


def test_a_token_is_asked_for_with_the_right_to_push(fake):
    def before(request):
        if request.path.startswith("/token"):
            seen.append(request.path)
            return None
        if not request.headers.get("Authorization"):
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{registry.host}/token",scope="repository:a/b:pull"'}
        return None

    seen: list[str] = []
    registry = fake(before)
    with pytest.raises(ImageError) as caught:
        upload(registry.host)
    assert caught.value.reason == "registry-refused"  # the fake gives no tokens
    assert "repository%3Aa%2Fb%3Apull%2Cpush" in seen[0]


def test_a_mount_that_is_granted_sends_nothing(fake):
    registry = fake(lambda request: (201, {}) if "mount=" in request.path else None)
    upload(registry.host, mounts=("base/image",))
    assert registry.blobs == {}
    assert f"from={'base%2Fimage'}" in registry.seen[1][1]


def test_another_digest_than_was_sent_is_a_lie(fake):
    lie = {"Docker-Content-Digest": "sha256:" + "0" * 64}
    registry = fake(lambda request: (201, lie) if request.command == "PUT" else None)
    with pytest.raises(ImageError) as caught:
        upload(registry.host)
    assert caught.value.reason == "digest-mismatch"
