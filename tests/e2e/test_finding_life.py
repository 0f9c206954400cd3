"""A finding's life over both kinds of baseline: new, known, on another line, waived, expired, fixed, its waiver stale."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
OLD = "def old():\n    return undefined_then\n"
NEW = '\n\n"""More above it."""\n\n\ndef old():\n    return undefined_then\n'
CONFIG = """\
stages = ["lint", "scan"]

[lint]
tools = ["flake8"]

[scan]
scanners = ["npm-audit"]

[gates]
baseline = "{baseline}"
"""
WAIVER = """
[[gates.waivers]]
rule = "F821"
path = "second.py"
reason = "it comes with the next change"
owner = "anna@example.org"
expires = {expires}
"""


def git(folder: Path, *words: str) -> None:
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, check=True)


@dataclass
class Project:
    """A project of two files with one linter, on a branch of its own."""

    folder: Path
    out: Path
    environ: dict[str, str]
    baseline: str

    def configure(self, expires: dt.date | None = None) -> None:
        text = CONFIG.format(baseline=self.baseline)
        (self.folder / "sealane.toml").write_text(text + (WAIVER.format(expires=expires) if expires else ""))

    def sealane(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["sealane", "--silent", *words]
        return subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False)

    def run(self, *words: str) -> int:
        """The pipeline; its exit code, with its report in `out`."""
        shutil.rmtree(self.out, ignore_errors=True)
        done = self.sealane("call", "--source", str(self.folder), "pipeline", *words, "-o", str(self.out))
        assert (self.out / "run.json").exists(), done.stdout + done.stderr
        return done.returncode

    @property
    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.out / "run.json").read_text())
        return told

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        return {f["file"]: f for stage in self.report["stages"] for f in stage["findings"]}

    def gate(self, name: str) -> tuple[str, str]:
        return next((g["verdict"], g["detail"]) for g in self.report["gates"] if g["name"] == name)

    def judged(self) -> tuple[int, dict[str, dict[str, str]]]:
        """`sealane gates` over the last report: its exit code, and its rows by name."""
        done = self.sealane("gates", str(self.out), "--source", str(self.folder), "--json")
        return done.returncode, {row["name"]: row for row in json.loads(done.stdout)}


@pytest.fixture(params=["known.json", "merge-base"])
def project(request: pytest.FixtureRequest, tmp_path: Path, environ: dict[str, str]) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "first.py").write_text(OLD)
    (folder / "second.py").write_text("")
    git(folder, "init", "-q", "-b", "main")
    made = Project(folder, tmp_path / "out", {**environ, "SEALANE_BASE": "main"}, request.param)
    made.configure()
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "begin")
    git(folder, "checkout", "-q", "-b", "feature")
    return made


def test_from_new_to_stale(project: Project):
    stored = project.baseline != "merge-base"
    if stored:  # nothing is known yet, and the file is not there: it fails for both
        assert project.run() == 1
        assert project.gate("lint passes")[0] == "failed"
        assert project.gate("baseline")[0] == "failed"
        name = project.folder / project.baseline
        assert (
            project.sealane("gates", str(project.out), "--source", str(project.folder), "--write-baseline").returncode
            == 0
        )
        assert len(json.loads(name.read_text())["findings"]) == 1
        first = project.findings["first.py"]["fingerprint"]
        assert project.judged()[0] == 0  # known

    # Another line for the old one, and a new one in a second file.
    (project.folder / "first.py").write_text(NEW)
    (project.folder / "second.py").write_text("def new():\n    return undefined_now\n")
    assert project.run() == 1
    old, new = project.findings["first.py"], project.findings["second.py"]
    assert (old["line"], old["known"], new["known"]) == (7, True, False)
    assert not stored or old["fingerprint"] == first
    assert project.gate("baseline")[1].startswith("1 known, 1 new")
    assert project.gate("lint passes") == ("failed", "flake8")

    # Waived until tomorrow, and no longer since yesterday.
    today = dt.datetime.now(dt.UTC).date()
    project.configure(today + dt.timedelta(days=1))
    code, rows = project.judged()
    assert (code, rows["waivers"]["verdict"], rows["waivers"]["detail"]) == (0, "passed", "1 findings waived")
    assert rows["baseline"]["detail"].startswith("1 known, 0 new")
    project.configure(today - dt.timedelta(days=1))
    code, rows = project.judged()
    line = (project.folder / "sealane.toml").read_text().splitlines().index("[[gates.waivers]]") + 1
    assert (code, rows["waivers"]["verdict"], rows["lint passes"]["verdict"]) == (1, "failed", "failed")
    assert f"delete it at sealane.toml:{line}) expired on" in rows["waivers"]["detail"]

    # Both are mended: the waiver has nothing left to waive.
    project.configure(today + dt.timedelta(days=1))
    (project.folder / "first.py").write_text("")
    (project.folder / "second.py").write_text("")
    assert project.run() == 1
    assert project.gate("lint passes")[0] == "passed"
    verdict, detail = project.gate("waivers")
    assert verdict == "failed"
    assert f"delete it at sealane.toml:{line}) matches nothing any more" in detail
    assert not stored or "1 fixed" in project.gate("baseline")[1]
    project.configure()
    assert project.judged()[0] == 0


@pytest.mark.parametrize("project", ["merge-base"], indirect=True)
def test_a_run_of_what_changed(project: Project, tmp_path: Path):
    """Narrowed to the second file: what the first has is neither looked at nor news. Then why nothing can be told."""
    (project.folder / "second.py").write_text("def new():\n    return undefined_now\n")
    assert project.run("--changed-since", "main") == 1
    assert set(project.findings) == {"second.py"}
    assert project.report["narrowed"]["changed"] == ["second.py"]
    assert "Narrowed to what changed since main" in (project.out / "summary.md").read_text()
    assert "Narrowed to what changed since main" in (project.out / "report.html").read_text()
    assert not (project.out / "baseline.json").exists()
    refused = project.sealane("gates", str(project.out), "--source", str(project.folder), "--write-baseline")
    assert (refused.returncode, "without --changed-since" in refused.stderr) == (1, True)

    git(project.folder, "checkout", "-q", "--", ".")
    assert project.run("--changed-since", "main") == 0
    assert {stage["outcome"] for stage in project.report["stages"]} == {"not run"}
    assert "Nothing changed since main" in (project.out / "summary.md").read_text()

    def said(folder: Path, ref: str) -> str:
        done = project.sealane("call", "--source", str(folder), "lint", "--changed-since", ref, "summary")
        assert done.returncode == 1
        return done.stderr

    assert "no commit nowhere" in (unknown := said(project.folder, "nowhere"))
    assert "git fetch origin nowhere" in unknown
    git(project.folder, "commit", "-q", "--allow-empty", "-m", "more")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project.folder}", str(shallow))
    assert "git fetch --unshallow" in said(shallow, "main")
    shutil.rmtree(shallow / ".git")
    assert "not a git repository" in said(shallow, "main")
    # Without a base nothing is known, and the gate of the baseline fails closed.
    project.folder = shallow
    assert project.run() == 1
    verdict, detail = project.gate("baseline")
    assert (verdict, "no repository was handed in" in detail) == ("failed", True)
