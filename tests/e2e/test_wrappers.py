"""Each wrapper before its vendor's validator, or the best one that runs without the vendor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# The newest that pip and go found in November 2026.
TOOLS = ("check-jsonschema==0.39.0", "zizmor==1.32.0")
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
WORKFLOWS = [".github/workflows/main.yml", ".github/workflows/security.yml"]
SCHEMAS = [
    ("github-workflows", WORKFLOWS[0], ()),
    ("github-workflows", WORKFLOWS[1], ()),
    ("gitlab-ci", "ci/vendors/gitlab/.gitlab-ci.yml", ("--data-transform", "gitlab-ci")),
    ("circle-ci", "ci/vendors/circleci/config.yml", ()),
    ("azure-pipelines", "ci/vendors/azure/azure-pipelines.yml", ("--regex-variant", "nonunicode")),
    ("bitbucket-pipelines", "ci/vendors/bitbucket/bitbucket-pipelines.yml", ()),
    ("buildkite", "ci/vendors/buildkite/pipeline.yml", ()),
    ("woodpecker-ci", "ci/vendors/woodpecker/.woodpecker.yml", ()),
]

pytestmark = pytest.mark.needs("network")


@pytest.fixture(scope="module")
def tools(shared_home: Path) -> Path:
    """The validators, in an environment of their own that outlives the run."""
    place = shared_home / "wrapper-tools"
    wanted = "\n".join(TOOLS)
    done = place / "complete"
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([str(place / "bin/pip"), "install", "--quiet", *TOOLS], check=True)
        done.write_text(wanted)
    return place / "bin"


def ran(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("schema", "file", "options"), SCHEMAS)
def test_a_wrapper_is_what_its_vendors_schema_wants(tools: Path, schema: str, file: str, options: tuple[str, ...]):
    ran(str(tools / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *options, file)


def test_zizmor_finds_nothing_in_githubs(tools: Path):
    ran(str(tools / "zizmor"), "--offline", "--pedantic", "--quiet", *WORKFLOWS)


def test_zizmor_finds_what_is_wrong(tools: Path, tmp_path: Path):
    bad = (ROOT / WORKFLOWS[0]).read_text().replace("permissions: {}", "permissions: write-all")
    (tmp_path / "main.yml").write_text(bad)
    words = [str(tools / "zizmor"), "--offline", "--pedantic", "--quiet", str(tmp_path / "main.yml")]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0


@pytest.mark.needs("go")
def test_actionlint_finds_nothing_in_githubs(shared_home: Path):
    program = shared_home / "wrapper-tools-go/actionlint"
    if not program.exists():
        go = shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin")
        environ = {**os.environ, "GOBIN": str(program.parent)}
        subprocess.run([str(go), "install", ACTIONLINT], env=environ, check=True, capture_output=True)
    ran(str(program), "-shellcheck=", *WORKFLOWS)
