"""Nine defects, one at a time: each is caught by the stage whose work it is, and the report still comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(1800)]

# Put together here, so that this file holds no key itself.
AWS_KEY = "AKIA" + "Q3EGRLN7T2ZJ5XWM"
AWS_SECRET = "wJ4q9ZkX7c" + "LmT2vB8nR5" + "sYd6hF1gPp" + "E3uKa0QxVi"


@dataclass(frozen=True)
class Defect:
    """What is done to the sample, which stage must fail, and what the message must name."""

    name: str
    seed: Callable[[Path], None]
    stage: str
    named: tuple[str, ...]


def append(path: str, text: str) -> Callable[[Path], None]:
    def seed(sample: Path) -> None:
        with (sample / path).open("a") as file:
            file.write(text)

    return seed


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def seed(sample: Path) -> None:
        text = (sample / path).read_text()
        assert text.count(old) == 1, f"{path} does not hold {old!r} once"
        (sample / path).write_text(text.replace(old, new))

    return seed


FAILING_TEST = """

def test_seeded() -> None:
    assert Settings.from_environment(BOTH).cache_seconds == 31
"""

REFUSED_PASSWORD = """

async def test_seeded(database_url: str) -> None:
    wrong = database_url.replace("test_password", "not-the-password")
    async with await psycopg.AsyncConnection.connect(wrong) as connection:
        await connection.execute("SELECT 1")
"""

SHELL = '''"""Runs what a visitor asks for."""

import subprocess

from fastapi import FastAPI

app = FastAPI()


@app.get("/run")
def run(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    return done.stdout
'''


def add(path: str, text: str) -> Callable[[Path], None]:
    def seed(sample: Path) -> None:
        (sample / path).write_text(text)

    return seed


DEFECTS = [
    Defect("unformatted file", append("backend/models.py", "\n\nODD = {  'a':1 }\n"), "lint", ("backend/models.py",)),
    Defect(
        "unsorted imports",
        replace("backend/migrate.py", "from pathlib import Path\nfrom typing import Any\n", "from typing import Any\nfrom pathlib import Path\n"),
        "lint",
        ("backend/migrate.py",),
    ),
    Defect(
        "undefined name",
        append("backend/settings.py", "\n\ndef seeded() -> int:\n    return not_defined_anywhere\n"),
        "lint",
        ("backend/settings.py", "not_defined_anywhere"),
    ),
    Defect(
        "type error",
        append("backend/settings.py", '\n\ndef seeded() -> int:\n    return "text"\n'),
        "lint",
        ("backend/settings.py",),
    ),
    Defect("failing unit test", append("tests/unit/test_settings.py", FAILING_TEST), "test", ("test_seeded",)),
    Defect("refused password", append("tests/integration/test_board.py", REFUSED_PASSWORD), "test", ("test_seeded",)),
    Defect(
        "committed AWS key",
        add("deploy.env", f"AWS_ACCESS_KEY_ID={AWS_KEY}\nAWS_SECRET_ACCESS_KEY={AWS_SECRET}\n"),
        "scan",
        ("deploy.env",),
    ),
    Defect("shell on user input", add("backend/run.py", SHELL), "scan", ("backend/run.py",)),
    Defect(
        "never healthy",
        replace("Dockerfile", "http://localhost:8000/health", "http://localhost:8001/health"),
        "build",
        ("health",),
    ),
]  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_is_caught_by_its_stage(defect: Defect, sample: Path, pipeline):
    defect.seed(sample)
    ran = pipeline(sample)
    assert ran.code == 1, ran.output[-4000:]
    assert ran.report, f"no report was left\n{ran.output[-4000:]}"
    stage = ran.stage(defect.stage)
    assert stage["outcome"] == "failed", json.dumps(ran.report["stages"], indent=1)[:4000]
    for word in defect.named:
        assert word in ran.output
        assert word in (ran.out / "summary.md").read_text()
    assert "Traceback (most recent call last)" not in ran.output
    others = {s["name"]: s["outcome"] for s in ran.report["stages"] if s["name"] not in (defect.stage, "lint")}
    assert all(outcome == "ran" for name, outcome in others.items() if name in {"test", "scan"}), others


@pytest.mark.parametrize("defect", [d for d in DEFECTS if d.stage != "build"][:1], ids=lambda d: d.name)
def test_what_comes_after_a_failure_says_why_it_was_skipped(defect: Defect, sample: Path, pipeline):
    defect.seed(sample)
    ran = pipeline(sample)
    assert ran.stage("build")["outcome"] == "skipped"
    assert "lint failed" in ran.stage("build")["reason"]
