"""A module in its workspace: files of the project, checks, generators, services, and toolchains that bring all of it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(600)]
Sealane = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(modules: Path, tmp_path: Path) -> Path:
    """A working copy with a licence at its top, and the modules."""
    folder = shutil.copytree(modules, tmp_path / "project")
    (folder / "LICENSE").touch()
    return folder


def test_an_argument_of_type_workspace_is_the_project_of_who_calls(sealane: Sealane, project: Path):
    tender = project / "tender"
    assert sealane("call", "names", cwd=tender).stdout.splitlines() == ["dagger.json", "pyproject.toml", "src/"]
    assert sealane("call", "license", cwd=tender).stdout == "/LICENSE"
    (tender / "new").touch()  # an answer about a workspace isn't kept beyond its session
    assert "new" in sealane("call", "names", cwd=tender).stdout.splitlines()


def test_what_a_function_writes_where_it_runs_is_a_directory(sealane: Sealane, project: Path):
    done = sealane("call", "written", "--name", "f", cwd=project / "tender")
    assert done.stdout.splitlines() == ["deep/", "deep/f", "link", "here"], done.stderr


def test_a_generator_is_a_check_that_nothing_is_left_to_generate(sealane: Sealane, project: Path):
    tender = project / "tender"
    done = sealane("check", cwd=tender)
    assert done.returncode == 1
    assert "stamp: generated files are not up to date: STAMP" in done.stderr
    assert sealane("check", "--no-generate", cwd=tender).returncode == 0
    (tender / "STAMP").write_text("fresh\n")
    assert sealane("check", cwd=tender).returncode == 0


def test_a_toolchain_works_on_the_files_of_the_module_that_has_it(sealane: Sealane, project: Path):
    garden = project / "garden"
    listed = sealane("check", "-l", cwd=garden).stdout
    assert "tender:tidy" in listed
    assert "tender:stamp" in listed
    assert sealane("check", "tender:tidy", cwd=garden).returncode == 0
    (garden / "thistle").touch()  # what a customization made the word
    done = sealane("check", "tender:tidy", cwd=garden)
    assert (done.returncode, "there is a thistle" in done.stderr) == (1, True)
    assert "thistle" in sealane("call", "tender", "names", cwd=garden).stdout


def test_a_customization_that_names_nothing_is_refused(sealane: Sealane, project: Path):
    file = project / "garden/dagger.json"
    config = json.loads(file.read_text())
    config["toolchains"][0]["customizations"][0]["argument"] = "wort"
    file.write_text(json.dumps(config))
    done = sealane("functions", cwd=project / "garden")
    assert done.returncode == 1
    assert "'wort' of tidy" in done.stderr


def test_services_are_up_until_they_are_interrupted(sealane: Sealane, project: Path, environ: dict[str, str]):
    assert "site   Serve a page." in sealane("up", "-l", cwd=project / "tender").stdout
    assert sealane("up", "nobody", cwd=project / "tender").returncode == 1
    command = ["sealane", "--silent", "up", "site"]
    with subprocess.Popen(command, cwd=project / "tender", env=environ) as running:
        try:
            assert _page(running) == b"hello from the garden\n"
            running.send_signal(signal.SIGINT)
            assert running.wait(60) == 0
        finally:
            running.kill()


def _page(running: subprocess.Popen[bytes]) -> bytes:
    while running.poll() is None:
        try:
            with urllib.request.urlopen("http://127.0.0.1:18431/") as answer:
                return bytes(answer.read())
        except urllib.error.URLError:
            time.sleep(0.05)
    pytest.fail("it ended before its service was up")
