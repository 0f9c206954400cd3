"""`sealane plan` prints what would run; it starts no engine and changes nothing."""

import json
from pathlib import Path

import pytest

from sealane.cli.main import run

SAMPLE = Path(__file__).parents[3] / "examples/sutazai"


@pytest.fixture(autouse=True)
def no_engine(monkeypatch):
    def refuse(*_):
        pytest.fail("an engine was started")

    monkeypatch.setattr("sealane.cli.engine.open_session", refuse)


def test_the_samples_plan_as_text(capsys):
    assert run(["plan", "--source", str(SAMPLE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "test: runs, on python:3.11-slim" in lines
    assert any(line.startswith("  ○ e2e") for line in lines)
    assert "    coverage ≥ 80 %" in lines


def test_the_same_as_json_with_the_categories_that_are_asked_for(capsys):
    assert run(["plan", "--source", str(SAMPLE), "--categories", "e2e,performance", "--json"]) == 0
    stages = {stage["name"]: stage for stage in json.loads(capsys.readouterr().out)["stages"]}
    tests = {part["name"]: part for part in stages["test"]["parts"]}
    assert tests["performance"]["says"] == "100 users for 5m, tests/performance/locustfile.py"
    assert tests["e2e"]["runs"]
    assert not tests["unit"]["runs"]


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        ("stages = ['lnt']\n", (), "bad value of `stages.0`"),
        ("", ("--categories", "slow"), "no tests of the category `slow`"),
    ],
)
def test_what_cannot_work_is_an_error(tmp_path, capsys, text, words, says):
    (tmp_path / "sealane.toml").write_text(text)
    assert run(["plan", "--source", str(tmp_path), *words]) == 1
    assert says in capsys.readouterr().err


def test_a_folder_without_anything_says_what_is_missing_of_each(tmp_path, capsys):
    (tmp_path / "package.json").write_text("not json")
    assert run(["plan", "--source", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "test: not run (no tests)" in said
    assert "build: not run (no Dockerfile)" in said


# The words of the reference guide's workflow and test commands (docs/guide.md says which is which).
GUIDE = {
    "black": "--check --diff .",
    "isort": "--check-only --diff .",
    "flake8": ". --count --select=E9,F63,F7,F82 --show-source --statistics",
    "mypy": "backend/ --ignore-missing-imports",
    "bandit": "-r backend/",
    "unit (python 3.11)": "pytest tests/unit/ --maxfail=1 -x",
    "integration (python 3.11)": "pytest tests/integration/ --cov-append --maxfail=3, beside postgres (postgres:15), redis (redis:7)",
}
GATES = (
    "coverage ≥ 80 %", "complexity.cyclomatic ≤ 10", "complexity.cognitive ≤ 15", "duplication ≤ 3 %", "no high finding",
    "medium findings ≤ 5", "average response ≤ 500 ms", "throughput ≥ 1000 rps",
)  # fmt: skip


def test_the_guides_words_and_thresholds_are_the_samples_and_its_table_names_them(capsys):
    run(["plan", "--source", str(SAMPLE), "--json"])
    found = json.loads(capsys.readouterr().out)
    said = {part["name"]: part["says"] for stage in found["stages"] for part in stage["parts"]}
    assert {name: said[name].rpartition("==")[2].partition(": ")[2] or said[name] for name in GUIDE} == GUIDE
    assert set(GATES) <= set(found["gates"])
    table = (SAMPLE.parent.parent / "docs/guide.md").read_text()
    assert [gate for gate in GATES if f"`{gate}`" not in table] == []
