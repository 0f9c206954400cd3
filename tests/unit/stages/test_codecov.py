"""Coverage goes to Codecov by its own protocol, the token in one header alone, and never from a cache."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dagger import dag

from sealane.errors import StageFailed
from sealane.stages import codecov, test
from sealane.stages.scripts import codecov as script

TOKEN = "0123-token"
TARGET = codecov.Target("group/owner/name", "a" * 40, "main")
COMMITS = "/upload/github/group:::owner::::name/commits"


@dataclass
class Standin:
    """What an upload endpoint that stands in for Codecov's was asked."""

    url: str = ""
    status: int = 201
    place: str = ""
    asked: list[tuple[str, str, str, dict]] = field(default_factory=list)


@contextmanager
def endpoint() -> Iterator[Standin]:
    told = Standin()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.append((self.command, self.path, self.headers.get("Authorization", ""), json.loads(body)))
            answer = {"raw_upload_location": told.place, "url": "https://codecov.example/result"}
            text = json.dumps(answer).encode() if told.place else b"{}"
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    told.place = f"{told.url}/storage?signature=secret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setenv("CODECOV_TOKEN", TOKEN)
    (tmp_path / "coverage.xml").write_text("<coverage/>")
    (tmp_path / "files.txt").write_text("backend/app.py\nREADME.md\n")
    about = ("github", TARGET.slug, TARGET.commit, TARGET.branch, codecov.FLAG, codecov.UPLOAD)
    return lambda url: (str(tmp_path / "coverage.xml"), str(tmp_path / "files.txt"), url, *about)


def test_an_upload_is_four_requests_and_the_report_is_whole(words, capsys):
    with endpoint() as told:
        assert script.main(*words(told.url)) == 0
    assert [(method, path) for method, path, _, _ in told.asked] == [
        ("POST", COMMITS),
        ("POST", f"{COMMITS}/{TARGET.commit}/reports"),
        ("POST", f"{COMMITS}/{TARGET.commit}/reports/default/uploads"),
        ("PUT", "/storage?signature=secret"),
    ]
    assert [token for _, _, token, _ in told.asked] == [f"token {TOKEN}"] * 3 + [""]
    commit, report, upload, stored = (body for *_, body in told.asked)
    assert (commit["commitid"], commit["branch"], report["code"]) == (TARGET.commit, "main", "default")
    assert (upload["flags"], upload["name"]) == (["unittests"], "codecov-umbrella")
    assert stored["network_files"] == ["backend/app.py", "README.md"]
    (file,) = stored["coverage_files"]
    assert (file["filename"], file["format"]) == ("coverage.xml", "base64+compressed")
    assert zlib.decompress(base64.b64decode(file["data"])) == b"<coverage/>"
    assert capsys.readouterr().out == "https://codecov.example/result\n"


@pytest.mark.parametrize(("status", "place", "said"), [(401, "x", "answered 401"), (200, "", "no place to upload to")])
def test_a_refusal_says_what_was_answered_and_never_the_token(words, capsys, status, place, said):
    with endpoint() as told:
        told.status, told.place = status, place
        assert script.main(*words(told.url)) == 1
    error = capsys.readouterr().err
    assert said in error
    assert TOKEN not in error


def test_no_service_is_an_error_that_names_the_address(words, capsys):
    with endpoint() as told:
        pass
    assert script.main(*words(told.url)) == 1
    assert f"POST {told.url}{COMMITS}" in capsys.readouterr().err


def test_each_upload_is_a_step_of_its_own_that_alone_has_the_token(engine_run):
    async def body(engine, project):
        engine.on("/sealane/codecov.py", stdout="https://codecov.example/result\n")
        tested = await test.run(project)
        token = dag.set_secret("codecov", TOKEN)
        for _ in range(2):
            said = await codecov.upload(tested, project, token, TARGET)
            assert said == "coverage 91 % uploaded: https://codecov.example/result"
        uploads = [s for s in engine.steps if "/sealane/codecov.py" in s.args]
        assert len(uploads) == 2
        assert [s for s in engine.steps if s.secrets] == uploads
        assert uploads[0].env["SEALANE_UPLOAD"] != uploads[1].env["SEALANE_UPLOAD"]
        assert uploads[0].args[-7:] == (
            codecov.URL, "github", TARGET.slug, TARGET.commit, "main", "unittests", "codecov-umbrella",
        )  # fmt: skip

    engine_run(body)


def test_an_upload_that_is_refused_fails_with_the_answer(engine_run):
    async def body(engine, project):
        engine.on("/sealane/codecov.py", exit_code=1, stderr="POST x answered 401: no\n")
        with pytest.raises(StageFailed, match="not uploaded: POST x answered 401: no"):
            await codecov.upload(await test.run(project), project, dag.set_secret("codecov", TOKEN), TARGET)

    engine_run(body)


def test_without_coverage_there_is_nothing_to_upload(engine_run):
    async def body(engine, project):
        engine.on("pytest", "tests/unit/", exit_code=1)
        with pytest.raises(StageFailed, match="measured no coverage"):
            await codecov.upload(await test.run(project), project, dag.set_secret("codecov", TOKEN), TARGET)

    engine_run(body)
