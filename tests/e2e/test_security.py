"""The nightly look at security, over a repository of the test's own: what its history and its dependencies hold."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import dagger
import pytest

from sealane.config.stages import ScanConfig
from sealane.stages.scanners import added, leaks
from sealane.stages.scanners.scanned import Scanned

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests/golden"
# Put together here, so that this file holds no key itself.
OLD_KEY = "AKIA" + "Q3EGRLN7T2ZJ5XWM"
NEW_TOKEN = "ghp" + "_Ab3dEf9hIj2kLm5nOp8qRs1tUv4wXy7zA1b2"
CONFIG = """[tool.sealane]
[tool.sealane.scan]
advisories = "osv"
"""
BEFORE = "sample-silent==1.0\nsample-web==1.4\nsample-parser==2.4.1\n"
AFTER = "sample-silent==1.0\n\nsample-parser==2.4.0\nsample-queue==4.0\n"


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A secret came and went on main; another did on the branch that is checked out, which changes dependencies too."""
    folder = tmp_path / "repository"
    shutil.copytree(GOLDEN / "advisories", folder / "osv")
    git(folder, "init", "-q", "-b", "main")
    (folder / "pyproject.toml").write_text(CONFIG)
    (folder / "requirements.txt").write_text(BEFORE)
    (folder / "deploy.env").write_text(f"REGION=eu\nAWS_ACCESS_KEY_ID={OLD_KEY}\n")
    commit(folder, "begin")
    (folder / "deploy.env").write_text("REGION=eu\n")
    commit(folder, "take the key out")
    git(folder, "checkout", "-q", "-b", "feature")
    (folder / "login.py").write_text(f'"""Log in."""\n\nTOKEN = "{NEW_TOKEN}"\n')
    commit(folder, "log in")
    (folder / "login.py").unlink()
    (folder / "requirements.txt").write_text(AFTER)
    commit(folder, "log in otherwise")
    return folder


def look(folder: Path, out: Path, environ: dict[str, str], *words: str) -> dict[str, Any]:
    """The report's run.json, by stage."""
    shutil.rmtree(out, ignore_errors=True)
    command = ["sealane", "call", "--source", str(folder), "security", "--repository", str(folder), *words]
    done = subprocess.run(
        [*command, "report", "-o", str(out)], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert (out / "run.json").exists(), (done.stdout + done.stderr)[-4000:]
    return {stage["name"]: stage for stage in json.loads((out / "run.json").read_text())["stages"]}


def found(stage: dict[str, Any]) -> set[tuple[str, str, str, int]]:
    return {(f["tool"], f["rule"], f["file"], f["line"]) for f in stage["findings"]}


def test_history_and_dependencies_are_looked_at_against_main(repository: Path, tmp_path: Path, environ):
    out = tmp_path / "out"
    stages = look(repository, out, environ)
    assert found(stages["secrets"]) == {
        ("gitleaks", "aws-access-token", "deploy.env", 2),
        ("gitleaks", "github-pat", "login.py", 3),
    }
    assert stages["secrets"]["figures"]["commits"] == 4
    assert any("history by gitleaks (TruffleHog can't be had)" in note for note in stages["secrets"]["notes"])
    in_range = json.loads((out / "gitleaks-range.json").read_text())
    assert [leak["File"] for leak in in_range] == ["login.py"]
    assert in_range[0]["Commit"][:12] in str(stages["secrets"]["findings"])

    # What main has already (sample-silent is vulnerable there) is no news; what was mended on main is.
    assert found(stages["dependency-review"]) == {
        ("dependencies", "SEALANE-2026-0001", "requirements.txt", 3),
        ("dependencies", "SEALANE-2026-0007", "requirements.txt", 4),
    }
    review = json.loads((out / "dependency-review.json").read_text())
    assert [row["name"] for row in review["added"]] == ["sample-queue"]
    assert [(row["name"], row["was"], row["version"]) for row in review["changed"]] == [
        ("sample-parser", ["2.4.1"], "2.4.0")
    ]
    assert [row["name"] for row in review["removed"]] == ["sample-web"]
    assert stages["image-scan"]["reason"] == "no Dockerfile"

    report = json.loads((out / "security-report.json").read_text())
    assert {row["severity"] for row in report["vulnerabilities"]} <= {"HIGH", "MEDIUM", "LOW"}
    # Not one byte of a secret leaves, wherever it was found.
    everything = b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())
    assert OLD_KEY.encode() not in everything
    assert NEW_TOKEN.encode() not in everything


def test_where_no_other_tool_can_be_had_our_rules_look_at_history(repository: Path, session: int):
    """Called as the stage calls it where TruffleHog's image and gitleaks' module are out of reach."""

    async def ours() -> tuple[Scanned, dict[str, str]]:
        async with dagger.connection():
            mounted = leaks._with_git().with_mounted_directory(
                leaks.REPOSITORY, dagger.dag.host().directory(str(repository))
            )
            done = await added.run(mounted, ScanConfig(), "main")
            assert done.report is not None
            return done, {name: await done.report.file(name).contents() for name in await done.report.entries()}

    done, report = anyio.run(ours)
    assert done.wrong == ""
    assert {(f.tool, f.rule, f.file, f.line) for f in done.findings} == {
        ("secrets", "aws-access-key-id", "deploy.env", 2),
        ("secrets", "github-token", "login.py", 3),
    }
    (leak,) = json.loads(report["secrets-range.json"])
    assert (leak["File"], leak["Commit"]) == ("login.py", git(repository, "rev-parse", "HEAD~1"))
    assert OLD_KEY not in str(report)
    assert NEW_TOKEN not in str(report)


def test_on_main_itself_all_dependencies_count(repository: Path, tmp_path: Path, environ):
    git(repository, "checkout", "-q", "main")
    stages = look(repository, tmp_path / "out", environ)
    assert found(stages["dependency-review"]) == {
        ("dependencies", "SEALANE-2026-0006", "requirements.txt", 1),
        ("dependencies", "SEALANE-2026-0003", "requirements.txt", 2),
    }
    # The other branch's commits are part of the repository's history all the same.
    assert ("gitleaks", "github-pat", "login.py", 3) in found(stages["secrets"])


def test_excluded_paths_are_left_out_and_counted(repository: Path, tmp_path: Path, environ):
    (repository / "pyproject.toml").write_text(CONFIG + "exclude = ['deploy.env']\n")
    stages = look(repository, tmp_path / "out", environ)
    assert found(stages["secrets"]) == {("gitleaks", "github-pat", "login.py", 3)}
    assert "scanned: 1 secrets in paths of scan.exclude" in stages["secrets"]["notes"]


def test_half_a_history_is_not_scanned(repository: Path, tmp_path: Path, environ):
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(shallow))
    stages = look(shallow, tmp_path / "out", environ, "--base", "")
    assert (stages["secrets"]["outcome"], stages["secrets"]["passed"]) == ("not run", False)
    assert "the repository is shallow" in stages["secrets"]["reason"]
    unknown = look(repository, tmp_path / "out", environ, "--base", "nowhere")
    assert "the repository has no commit nowhere" in unknown["secrets"]["reason"]
    shutil.rmtree(repository / ".git")
    none = look(repository, tmp_path / "out", environ)
    assert none["secrets"]["reason"].startswith("no history: fatal: not a git repo")
