"""What contract tests talk to on the loopback: repositories that git serves, and a web server that says what it saw."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

AUTHOR = {
    **{f"GIT_{who}_NAME": "n" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "e@example.org" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2020-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


def git(folder: Path, *args: str) -> str:
    environ = {**os.environ, **AUTHOR, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        ["git", "-C", str(folder), *args], check=True, capture_output=True, text=True, env=environ
    ).stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"{name}: {text}")
    return git(folder, "rev-parse", "HEAD")


@dataclass
class Repository:
    """main: one, two; side (from one): three. Tags v1.0.0, v1.10.0-rc.1 and v1.9.0 (with a message)."""

    work: Path
    url: str = ""
    commits: dict[str, str] = field(default_factory=dict)


def make_repository(work: Path) -> Repository:
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    made = Repository(work)
    made.commits["one"] = commit(work, "file", "one")
    git(work, "tag", "v1.0.0")
    git(work, "switch", "-qc", "side")
    made.commits["three"] = commit(work, "side", "three")
    git(work, "switch", "-q", "main")
    made.commits["two"] = commit(work, "sub/file", "two")
    git(work, "tag", "-am", "message", "v1.9.0")
    git(work, "tag", "v1.10.0-rc.1")
    return made


class Web:
    """An HTTP server of files and, below /git/, of repositories. It logs (path, headers)."""

    def __init__(self, root: Path) -> None:
        self.root, self.seen = root, []
        self.files: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.login = ""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append((self.path, dict(self.headers)))
                if self.path.startswith("/git/"):
                    outer.backend(self)
                    return
                body, headers = outer.files.get(self.path, (None, {}))
                same = headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]
                status = int(headers.get("Status", 404 if body is None else 304 if same else 200))
                if headers.get("Secret") and self.headers.get("Authorization") != headers["Secret"]:
                    status = 401
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                content = body if body and status == 200 else b""
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def backend(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """git http-backend as CGI; a login if it is wanted."""
        if self.login and request.headers.get("Authorization", "").lower() != self.login.lower():
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        path, _, query = request.path.removeprefix("/git").partition("?")
        length = int(request.headers.get("Content-Length") or 0)
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=request.rfile.read(length), env=environ, capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        request.send_response(int(lines.pop("Status", "200").split()[0]))
        for name, value in lines.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
