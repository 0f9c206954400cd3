"""Debian's Docker for as long as a test needs it: its own namespaces, socket and files, so that all of it ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
FOLDER = Path(_CACHE) / "sealane-tools/docker"
"""Where ci/docker.sh unpacks it."""

_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Docker:
    """A running daemon, as its command line sees it."""

    environ: dict[str, str]

    def __call__(self, *words: str) -> str:
        done = subprocess.run(["docker", *words], env=self.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def until_healthy(self, container: str, seconds: float) -> None:
        """Wait for Docker's own verdict on a container."""
        deadline = time.monotonic() + seconds
        while (state := json.loads(self("inspect", container))[0]["State"])["Status"] == "running":
            if state["Health"]["Status"] == "healthy":
                return
            assert time.monotonic() < deadline, state
            time.sleep(0.1)
        raise AssertionError(f"{state}\n{self('logs', container)}")


@contextmanager
def docker(folder: Path) -> Iterator[Docker]:
    """A daemon whose files are below `folder`. Its containers have no network but a loopback."""
    bin_path = f"{FOLDER}/usr/bin:{FOLDER}/usr/sbin:{os.environ['PATH']}:/usr/sbin:/sbin"
    libraries = os.pathsep.join(str(each) for each in (FOLDER / "lib").glob("*-linux-gnu*"))
    socket, parent = folder / "docker.sock", f"sealane-docker-{os.getpid()}"
    environ = {"PATH": bin_path, "LD_LIBRARY_PATH": libraries, "HOME": str(folder), "DOCKER_HOST": f"unix://{socket}"}
    settings = {
        "hosts": [f"unix://{socket}"],
        "data-root": str(folder / "data"),
        "exec-root": "/run/docker",
        "pidfile": "/run/docker.pid",
        "deprecated-key-path": str(folder / "key.json"),
        "storage-driver": "vfs",  # works on whatever file system the folder is on
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "cgroup-parent": f"/{parent}",
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
    }
    (folder / "daemon.json").write_text(json.dumps(settings))
    # The sockets of its shims are always in /run, so it has one of its own.
    script = 'mount -t tmpfs tmpfs /run && exec dockerd --config-file "$1"'
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command += ["sh", "-c", script, "sh", str(folder / "daemon.json")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        _until_listening(process, folder / "log", environ)
        yield Docker(environ)
    finally:
        # Its first process is the first of its namespace: with it everything ends, before it is waited for.
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        process.wait()
        for left in (*_CGROUPS.glob(f"*/{parent}"), _CGROUPS / parent):
            for each in (*sorted(left.glob("*/"), reverse=True), left):
                if each.is_dir():
                    each.rmdir()


def _until_listening(process: subprocess.Popen[bytes], log: Path, environ: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run(["docker", "version"], env=environ, capture_output=True, check=False).returncode:
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)
