"""Sealane installed from its wheel, in a project that knows nothing of it: its own module is called."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as an installation leaves it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_a_stage_runs_on_the_project_around_the_working_directory(
    installed: Path, tmp_path: Path, environ: dict[str, str]
):
    project = tmp_path / "project"
    (project / "thing/inner").mkdir(parents=True)
    (project / "setup.py").write_text("from setuptools import setup\n\nsetup(name='thing')\n")
    (project / "thing/__init__.py").write_text("")
    (project / "thing/odd.py").write_text("ODD = {  'a':1 }\n")
    done = subprocess.run(
        [sys.executable, "-m", "sealane", "call", "-s", "lint", "summary"], cwd=project / "thing/inner",
        env=environ | {"PYTHONPATH": os.pathsep.join([str(installed), *sys.path])},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "- thing/odd.py:1: would be reformatted [black format, low]" in done.stdout
