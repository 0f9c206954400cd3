"""Dependencies audited without network: OSV advisories that lie in the project, in the stage scan's own container."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

ADVISORIES = Path(__file__).parent.parent / "golden" / "advisories"
CONFIG = """[tool.sealane]
stages = ["scan"]
[tool.sealane.scan]
scanners = ["dependencies"]
advisories = "osv"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(ADVISORIES, folder / "osv")
    (folder / "pyproject.toml").write_text(CONFIG)
    return folder


def test_a_vulnerable_version_fails_the_scan_and_a_mended_one_does_not(project: Path, pipeline):
    (project / "requirements.txt").write_text("sample-web==1.5\nsample-parser==2.4.0\n")
    ran = pipeline(project)
    assert ran.code == 1
    assert "requirements.txt:2" in ran.output
    found = json.loads((ran.out / "security-report.json").read_text())
    assert [(v["id"], v["severity"]) for v in found["vulnerabilities"]] == [("SEALANE-2026-0001", "HIGH")]
    (project / "requirements.txt").write_text("sample-web==1.5\nsample-parser==2.4.1\n")
    ran = pipeline(project)
    assert ran.code == 0, ran.output[-4000:]
    assert ran.stage("scan")["figures"]["dependencies"] == 2


def test_a_broken_advisory_is_not_scanned(project: Path, pipeline):
    (project / "requirements.txt").write_text("sample-web==1.5\n")
    (project / "osv/broken.json").write_text("{")
    ran = pipeline(project)
    assert ran.code == 1
    assert ran.stage("scan")["outcome"] == "not run"
    assert "broken.json is no OSV advisory" in ran.stage("scan")["reason"]
