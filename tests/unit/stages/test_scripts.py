"""The helpers that run inside containers."""

import http.server
import threading

import pytest

from sealane.stages import steps
from sealane.stages.scripts import ensure, probe


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 503)
            self.end_headers()
            self.wfile.write(b"well")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield str(running.server_address[1])
        running.shutdown()
        thread.join()


def test_a_healthy_server_is_told_from_an_unhealthy_one(server, capsys):
    assert probe.main("127.0.0.1", server, "/health", "5") == 0
    assert "GET /health: 200 well" in capsys.readouterr().out
    assert probe.main("127.0.0.1", server, "", "5") == 0
    assert probe.main("127.0.0.1", server, "/other", "0") == 1
    assert "GET /other answered 503: well" in capsys.readouterr().err


def test_a_closed_port_is_said(capsys):
    assert probe.main("127.0.0.1", "1", "/", "0") == 1
    assert "Connection refused" in capsys.readouterr().err


def test_what_a_project_brings_is_not_installed_again(monkeypatch):
    calls = []
    monkeypatch.setattr(ensure.subprocess, "call", lambda command: calls.append(command[3:]) or 0)
    assert ensure.main(["pytest==0.1"]) == 0
    assert calls == []
    assert ensure.main(["pytest==0.1", "surely-not-installed==1"]) == 0
    assert calls == [["install", "surely-not-installed==1"], ["check"]]


def test_a_pin_that_does_not_fit_gives_way(monkeypatch):
    calls = []
    monkeypatch.setattr(ensure.subprocess, "call", lambda command: calls.append(command[3:]) or len(calls) == 1)
    assert ensure.main(["surely-not-installed==1"]) == 0
    assert calls[-1] == ["install", "surely-not-installed"]


def test_scripts_are_shipped():
    assert "def main" in steps.script("probe.py")
    assert "def main" in steps.script("ensure.py")
