"""Each wrapper's command on the sample, where its vendor would run it: the same verdict and report from all of them.

What the first one runs the others find in the store, so that each costs seconds. Where it fails, and whether what is
hostile does anything, test_runners.py asks with a smaller project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sealane.vendors.render import FILES

from .conftest import copy_sample
from .test_runners import command_of, vendors_environ

pytestmark = pytest.mark.needs("root", "network")

MACHINE = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--uts", "--ipc")
DAY = "2026-01-01T00:00:00Z"
WHO = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# What a run found, without what is another each time: times, and what of it came from the store.
FOUND = ("name", "outcome", "reason", "passed", "findings", "tests", "coverage", "notes")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    """The sample as a repository of its own, whose commit is the same on each day: an image says which it was built of."""
    place = copy_sample(tmp_path_factory.mktemp("sample") / "sutazai")
    with (place / "pyproject.toml").open("a") as file:
        file.write('\n[tool.sealane.ci]\ncommand = "ci/sealane"\ncache = 0\n')
    (place / "ci").mkdir()
    (place / "ci/sealane").write_text(f'#!/bin/sh\nexec {shutil.which("sealane", path=environ["PATH"])} "$@"\n')
    (place / "ci/sealane").chmod(0o755)
    told = {**os.environ, **WHO, "GIT_AUTHOR_DATE": DAY, "GIT_COMMITTER_DATE": DAY}
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "The sample"]):
        subprocess.run(["git", *words], cwd=place, check=True, env=told)
    return place


def ran(place: Path, environ: dict[str, str], vendor: str, command: str) -> str:
    """What a vendor's run on a machine of its own prints; it passes. The report of the one before is still there."""
    own = {name: environ[name] for name in ("PATH", "SEALANE_HOME")}
    told = {**own, "HOME": "/root", "GITHUB_STEP_SUMMARY": os.devnull, **vendors_environ(vendor)}
    told = {name: value for name, value in told.items() if name not in ("GITHUB_HEAD_REF", "SEALANE_MESSAGE")}
    done = subprocess.run(
        [*MACHINE, "sh", "-ec", command],
        cwd=place,
        env=told,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    output = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, output[-4000:]
    return output


def report(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "out/run.json").read_text())
    return found


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: stage[name] for name in FOUND} for stage in found["stages"]]


@pytest.fixture(scope="module")
def first(repository: Path, environ: dict[str, str]) -> dict[str, Any]:
    """The report of a run that finds in the store what other tests left there, or nothing."""
    ran(repository, environ, "gitlab", command_of("gitlab"))
    return report(repository)


@pytest.mark.parametrize("vendor", FILES)
def test_the_sample_has_the_same_report_from_each_vendor(
    vendor: str, first: dict[str, Any], repository: Path, environ: dict[str, str]
):
    ran(repository, environ, vendor, command_of(vendor))
    found = report(repository)
    assert found["passed"]
    assert rows(found) == rows(first)
    assert found["gates"] == first["gates"]
    # A run's own files, here the report of the one before, are no part of what the next looks at. An image says in its
    # labels where it was built.
    assert [stage["verdict"] for stage in found["stages"] if stage["name"] in ("lint", "test")] == ["cached"] * 2
