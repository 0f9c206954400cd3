"""The sample's scripts/build.sh, where no Docker runs: its four steps through sealane, and an image under both tags."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]


def test_the_build_script_builds_and_tests_without_docker(sample: Path, environ: dict[str, str], tmp_path: Path):
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/none", "BUILD_ID": "build-7", "OUT": str(tmp_path / "out")}
    done = subprocess.run(
        ["bash", "scripts/build.sh"], cwd=sample, env=environ | nowhere, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    first, second = (tmp_path / f"out/sutazai-{tag}.tar" for tag in ("latest", "build-7"))
    assert first.read_bytes() == second.read_bytes()
    said = [line.partition("] ")[2] for line in done.stderr.splitlines()]
    steps = (
        "Environment validation passed",
        "Security scans completed",
        "Image built successfully",
        "Image testing completed",
    )
    assert [said.index(step) for step in steps] == sorted(said.index(step) for step in steps)
    assert "GET /health: 200" in done.stdout


def test_the_tags_of_an_image_come_from_the_repository_it_is_called_in(sample: Path, environ: dict[str, str]):
    def run(*command: str) -> str:
        named = dict.fromkeys(
            ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "a@b"
        )
        return subprocess.run(
            command, cwd=sample, env=environ | named, check=True, capture_output=True, text=True
        ).stdout

    run("git", "init", "--quiet", "--initial-branch", "feature/x")
    run("git", "commit", "--quiet", "--allow-empty", "--message", "one")
    commit = run("git", "rev-parse", "HEAD")[:7]
    assert run("sealane", "call", "build", "tags").split() == [f"feature-x-{commit}", "feature-x"]
