"""A registry on the loopback for as long as a test needs it: Debian's docker-registry, with a log of what it was asked."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
version: 0.1
log: {{accesslog: {{disabled: true}}, level: warn}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", headers: {{X-Content-Type-Options: [nosniff]}}}}
{auth}
"""


@dataclass(frozen=True)
class LocalRegistry:
    host: str
    folder: Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "it ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("it does not listen")


@contextmanager
def local_registry(folder: Path, *, auth: str = "") -> Iterator[LocalRegistry]:
    """A registry whose files are below `folder`; `auth` is a htpasswd line, if it wants a login."""
    port = free_port()
    wanted = ""
    if auth:
        (folder / "htpasswd").write_text(auth + "\n")
        wanted = f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}"
    (folder / "config.yml").write_text(CONFIG.format(root=folder / "data", port=port, auth=wanted))
    environ = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log, env=environ
        )
    try:
        until_listening(port, process)
        yield LocalRegistry(f"127.0.0.1:{port}", folder)
    finally:
        process.terminate()
        process.wait(10)
