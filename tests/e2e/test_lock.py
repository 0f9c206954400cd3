"""`sealane lock` and `--locked`, with a real registry whose tag moves."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..contract.registry import local_registry  # noqa: TID252 - tests are no package

pytestmark = [pytest.mark.needs("root", "docker-registry"), pytest.mark.timeout(300)]

Sealane = Callable[..., subprocess.CompletedProcess[str]]
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "registry").mkdir()
    with local_registry(tmp_path / "registry") as registry:
        yield registry.host


@pytest.fixture
def sealane(tmp_path: Path, environ: dict[str, str], host: str) -> Sealane:
    """The command line in a project whose Dockerfile is built on `base:1` of the registry, or on what BASE says."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Dockerfile").write_text(f"ARG BASE={host}/base:1\nFROM $BASE AS x\nFROM x\nCOPY --from=x /v /w\n")
    (project / "pyproject.toml").write_text("")

    def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sealane", "-s", *words],
            cwd=project,
            env=environ,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def query(what: str) -> str:
    return f"{{{what}}}"


def push(sealane: Sealane, host: str, content: str) -> str:
    """Move the tag `base:1` to an image with this content; its digest."""
    pushed = f'container{{withNewFile(path:"/v",contents:"{content}"){{publish(address:"{host}/base:1")}}}}'
    done = sealane("--lock", "disabled", "query", "-M", given=query(pushed))
    assert done.returncode == 0, done.stderr
    return _DIGEST.findall(done.stdout)[-1]


def test_a_tag_that_moves_is_said_and_changes_nothing_until_it_is_pinned_anew(
    sealane: Sealane, host: str, tmp_path: Path
):
    lock = tmp_path / "project/sealane.lock"
    old = push(sealane, host, "1")
    refused = sealane("--locked", "query", "-M", given=query("version"))
    assert (refused.returncode, "sealane lock" in refused.stderr) == (1, True)
    done = sealane("lock", f"{host}/base:1")
    assert (done.returncode, lock.read_text().count(old)) == (0, 1), done.stderr

    new = push(sealane, host, "2")
    checked = sealane("lock", "--check", f"{host}/base:1")
    assert checked.returncode == 1
    assert f"{old} → {new}" in checked.stdout
    built = 'host{directory(path:"."){dockerBuild{file(path:"/w"){contents}}}}'
    done = sealane("--locked", "query", "-M", given=query(built))
    assert done.returncode == 0, done.stderr
    contents = json.loads(done.stdout)["host"]["directory"]["dockerBuild"]["file"]["contents"]
    assert contents == "1"
    other = built.replace("dockerBuild", f'dockerBuild(buildArgs:[{{name:"BASE",value:"{host}/other:1"}}])')
    done = sealane("--locked", "query", "-M", given=query(other))
    assert done.returncode == 1
    assert f"{host}/other:1" in done.stderr
    assert "sealane lock" in done.stderr

    assert sealane("lock", f"{host}/base:1").returncode == 0
    assert new in lock.read_text()
    assert sealane("lock", "--check", f"{host}/base:1").returncode == 0


def test_the_images_of_the_project_are_found_and_a_bad_file_is_left_alone(sealane: Sealane, host: str, tmp_path: Path):
    digest = push(sealane, host, "1")
    done = sealane("lock")
    text = (tmp_path / "project/sealane.lock").read_text()
    assert f'"{host}/base:1" = "{digest}"' in text, done.stderr
    assert '"python:3.11-slim" = "sha256:' in text
    conflict = f"{text}<<<<<<< ours\n"
    (tmp_path / "project/sealane.lock").write_text(conflict)
    for words in (("lock",), ("lock", "--check"), ("query", "-M")):
        done = sealane(*words, given=query(f'container{{from(address:"{host}/base:1"){{imageRef}}}}'))
        assert done.returncode == 1
        assert f"sealane.lock:{text.count(chr(10)) + 1}: " in done.stderr
    assert (tmp_path / "project/sealane.lock").read_text() == conflict
