"""What engine tests share: a Debian layer with shifted ids, and a place to run sandboxes on it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Overlay

_SUITE = "bookworm"
_EXTRA = ("sudo", "libcap2-bin")


@dataclass(frozen=True)
class Debian:
    """A store-like home with a Debian root file system in one layer."""

    home: Path
    layer: str
    made: list[Path] = field(default_factory=list)

    def staging(self, name: str) -> str:
        """A new writable staging; its path relative to the home."""
        rel = f"s/{name}-{os.urandom(6).hex()}"
        self.made.append(self.home / rel)
        for part in ("fs", "work"):
            path = self.home / rel / part
            path.mkdir(parents=True, mode=0o755)
            os.chown(path, ROOT_RANGE.base, ROOT_RANGE.base)
        return rel

    def root(self, name: str = "test", *above: str) -> Overlay:
        """A writable root on the Debian layer (and the layers above it)."""
        return Overlay((self.layer, *above), self.staging(name))


@pytest.fixture(scope="session")
def debian_layer(shared_home: Path) -> Debian:
    """Built once per machine with mmdebstrap, then kept below `shared_home`."""
    if os.geteuid() != 0:
        pytest.skip("needs: root")
    home = shared_home / "sandbox"
    for folder in (home, home / "l", home / "s"):
        folder.mkdir(mode=0o711, exist_ok=True)
    layer = f"l/{_SUITE}-{'-'.join(_EXTRA)}"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / layer).exists():
            if not shutil.which("mmdebstrap"):
                pytest.skip("needs: mmdebstrap")
            _build(home / layer)
    return Debian(home, layer)


def _build(layer: Path) -> None:
    partial = layer.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o755)
    archive = layer.with_suffix(".tar")
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(_EXTRA)}", "--quiet", _SUITE, str(archive)]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(
        ["tar", "--numeric-owner", "--exclude=./dev/*", "-xpf", str(archive), "-C", str(partial)], check=True
    )
    archive.unlink()
    for folder, folders, files in os.walk(partial, topdown=False):
        for name in (*folders, *files):
            _shift(Path(folder, name))
    _shift(partial)
    partial.rename(layer)


def _shift(path: Path) -> None:
    status = path.lstat()
    if status.st_uid >= ROOT_RANGE.base:  # another name of a file that has been seen
        return
    os.lchown(path, ROOT_RANGE.outer(status.st_uid), ROOT_RANGE.outer(status.st_gid))
    if not path.is_symlink():
        path.chmod(status.st_mode & 0o7777)  # chown drops setuid bits


@pytest.fixture
def debian(debian_layer: Debian) -> Iterator[Debian]:
    """The layer; stagings that the test makes are removed afterwards."""
    yield debian_layer
    while debian_layer.made:
        shutil.rmtree(debian_layer.made.pop())
