"""What users type, typed: a copy of the sample, and the command line in an environment of the tests' own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import sboms

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ran:
    """A command's end, and the report it left (empty when it left none)."""

    code: int
    output: str
    out: Path

    @property
    def report(self) -> dict[str, Any]:
        file = self.out / "run.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def stage(self, name: str) -> dict[str, Any]:
        return next(stage for stage in self.report["stages"] if stage["name"] == name)


@pytest.fixture(scope="session", autouse=True)
def home(shared_home: Path) -> Iterator[None]:
    """No test touches the store of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALANE_HOME", str(shared_home))
        yield


@pytest.fixture(scope="session")
def environ(shared_home: Path) -> dict[str, str]:
    """Ours, with the commands of this environment first and the tests' store."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SEALANE_HOME": str(shared_home)}


@pytest.fixture
def session(environ: dict[str, str], shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """An engine of the embedded kind that `dagger.connection()` finds; its process id."""
    command = [sys.executable, "-m", "sealane_engine", "--home", str(shared_home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        said = json.loads(engine.stdout.readline())
        monkeypatch.setenv("DAGGER_SESSION_PORT", str(said["port"]))
        monkeypatch.setenv("DAGGER_SESSION_TOKEN", said["session_token"])
        yield engine.pid
        engine.stdin.close()


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the sample service, to be changed at will."""
    return copy_sample(tmp_path / "sutazai")


def copy_sample(folder: Path) -> Path:
    ignore = shutil.ignore_patterns("node_modules", "__pycache__", ".venv", ".env", ".env.test", ".*_cache")
    return shutil.copytree(ROOT / "examples/sutazai", folder, ignore=ignore)


@pytest.fixture(scope="session")
def validators(shared_home: Path) -> Path:
    """Where the programs of sbom-validators.txt are, installed once."""
    return sboms.installed(shared_home)


@pytest.fixture
def pipeline(environ: dict[str, str], tmp_path: Path) -> Callable[..., Ran]:
    """Runs the pipeline on a source, from the repository's root, with its report in a folder of the test's own."""

    def run(source: Path, *words: str) -> Ran:
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = ["sealane", "call", "--source", str(source), "pipeline", "-o", str(out), *words]
        done = subprocess.run(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        return Ran(done.returncode, done.stdout + done.stderr, out)

    return run


@pytest.fixture
def judge(session: int) -> Callable[[Path], str]:
    """What validators hold against the merged reports in a folder; empty when they have nothing to say."""
    spec = importlib.util.spec_from_file_location("validators", Path(__file__).with_name("validators.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    judging: Callable[[Path], str] = module.judge
    return judging


Sealane = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "modules"
    shutil.copytree(Path(__file__).parent / "modules", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def sealane(environ: dict[str, str]) -> Sealane:
    def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = ["sealane", "--silent", *words]
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)

    return run
