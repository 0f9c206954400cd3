"""Defects by family, all of a family seeded at once: each is found by the right tool at the right line, and a clean
project has none.

A family is a file `tests/golden/defects/<family>.toml`; `tests/golden/defects/base` is the clean project. All defects of
a family go into one copy of it, one command runs, and every defect is looked for in what the report says. So sixty of
them cost few runs; the price is that two defects of a family may not get into each other's way (give each its own file).

    call = ["lint", "report"]   # the words after `sealane call --source COPY`; with -o they must leave a report
    config = "…"                # the copy's sealane.toml; may be left out
    brings = { osv = "…" }      # folders that the copy gets, of tests/golden; may be left out

    [[defect]]
    name = "mutable default"    # what is wrong, in words: the test's id
    file = "app/defaults.py"    # where it is, relative to the project
    content = "…"               # the file, whole; a list is joined, so that no key stands in one piece here
    replace = ["old", "new"]    # or: the file as the base has it, with `old` (there once) as `new`
    append = "…"                # or: the file as the base has it, with more at its end
                                # or none of these: another defect of the family wrote the file
    tool = "pylint"             # who must find it: the run's name in the merged SARIF, or the suite's in the JUnit XML
    rule = "W0102"              # the rule's id; in JUnit XML the test's name
    line = 4                    # 1-based; 0 when the tool can give none
    where = "app/other.py"      # the file that the report names, when it is not `file` ("": it names none)
    shows = "sarif"             # findings.sarif (left out, this), "junit" (junit.xml), "flaky" (there, as passed only
                                # when tried again), or "gate" (run.json: `rule` begins the name of a gate that must
                                # have failed; tool and line mean nothing), or "warning" (a gate that must warn)

A family's command also runs over the untouched base with the family's configuration: no finding, no failed test, no
failed gate. A family that can't be told of a clean project says `clean = false` and why.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent.parent
DEFECTS = ROOT / "tests/golden/defects"
FAMILIES = {file.stem: tomllib.loads(file.read_text()) for file in sorted(DEFECTS.glob("*.toml"))}
ROWS = [(family, row["name"]) for family, table in FAMILIES.items() for row in table["defect"]]
SHOWN = ("sarif", "junit", "flaky", "gate", "warning")


@dataclass(frozen=True)
class Found:
    """What one report says: (tool, rule, file, line) of findings and of failed tests, and the names of gates that failed and warned."""

    sarif: frozenset[tuple[str, str, str, int]]
    junit: frozenset[tuple[str, str, str, int]]
    flaky: frozenset[tuple[str, str, str, int]]
    gate: tuple[str, ...]
    warning: tuple[str, ...]
    output: str
    out: Path

    def has(self, defect: dict[str, Any]) -> bool:
        shows = defect.get("shows", "sarif")
        if shows in {"gate", "warning"}:
            names: tuple[str, ...] = getattr(self, shows)
            return any(name.startswith(defect["rule"]) for name in names)
        row = (defect["tool"], defect["rule"], defect.get("where", defect["file"]), defect["line"])
        rows: frozenset[tuple[str, str, str, int]] = getattr(self, shows)
        return row in rows


def seed(project: Path, table: dict[str, Any]) -> None:
    """A copy of the base with a family's configuration and defects."""
    shutil.copytree(DEFECTS / "base", project)
    for name, folder in table.get("brings", {}).items():
        shutil.copytree(DEFECTS.parent / folder, project / name)
    if "config" in table:
        (project / "sealane.toml").write_text(table["config"])
    for defect in table["defect"]:
        file = project / defect["file"]
        if "content" in defect:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(defect["content"]))
        elif "replace" in defect:
            old, new = defect["replace"]
            text = file.read_text()
            assert text.count(old) == 1, f"{defect['file']} does not hold {old!r} once"
            file.write_text(text.replace(old, new))
        elif "append" in defect:
            file.write_text(file.read_text() + "".join(defect["append"]))
        assert file.exists(), f"{defect['name']}: nothing wrote {defect['file']}"


def findings(text: str) -> frozenset[tuple[str, str, str, int]]:
    rows = set()
    for run in json.loads(text)["runs"]:
        for result in run["results"]:
            place = result.get("locations", [{}])[0].get("physicalLocation", {})
            line = place.get("region", {}).get("startLine", 0)
            file = place.get("artifactLocation", {}).get("uri", "")
            rows.add((run["tool"]["driver"]["name"], result.get("ruleId", ""), file, line))
    return frozenset(rows)


def cases(file: Path, *ended: str) -> frozenset[tuple[str, str, str, int]]:
    if not file.exists():
        return frozenset()
    return frozenset(
        (suite.get("name", ""), case.get("name", ""), case.get("file", ""), int(case.get("line", "0")))
        for suite in ET.parse(file).getroot().iter("testsuite")
        for case in suite.iter("testcase")
        if any(case.find(tag) is not None for tag in ended)
    )


def run(project: Path, out: Path, words: list[str], environ: dict[str, str]) -> Found:
    command = ["sealane", "call", "--source", str(project), *words, "-o", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (out / "run.json").exists(), said[-4000:]
    told = json.loads((out / "run.json").read_text())
    failed_gates, warned = (
        tuple(gate["name"] for gate in told["gates"] if gate["verdict"] == verdict) for verdict in ("failed", "warning")
    )
    sarif = findings((out / "findings.sarif").read_text())
    summary = (out / "summary.md").read_text()
    failed = cases(out / "junit.xml", "failure", "error")
    flaky = cases(out / "junit.xml", "flakyFailure")
    return Found(sarif, failed, flaky, failed_gates, warned, summary + said[-4000:], out)


@pytest.fixture(scope="module")
def report(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Found]:
    """What the report on a family says, its defects seeded or (`clean`) not. One run for each."""

    @cache
    def one(family: str, *, clean: bool = False) -> Found:
        table = {**FAMILIES[family], **({"defect": []} if clean else {})}
        folder = tmp_path_factory.mktemp(family)
        seed(folder / "project", table)
        return run(folder / "project", folder / "out", table["call"], environ)

    return one


@pytest.mark.parametrize(("family", "name"), ROWS, ids=lambda word: word)
def test_a_seeded_defect_is_found_where_it_is(family: str, name: str, report):
    defect = next(row for row in FAMILIES[family]["defect"] if row["name"] == name)
    found = report(family)
    near = [row for row in sorted(found.sarif | found.junit) if row[2] == defect["file"]]
    assert found.has(defect), f"{defect} is not among {near or found.gate}\n{found.output[-6000:]}"


@pytest.mark.parametrize("family", [name for name, table in FAMILIES.items() if table.get("clean", True)])
def test_a_clean_project_has_none(family: str, report):
    found = report(family, clean=True)
    said = (sorted(found.sarif), sorted(found.junit | found.flaky), found.gate, found.warning)
    assert said == ([], [], (), ()), found.output


@pytest.mark.needs("xmllint")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_report_of_defects_is_valid(family: str, report, judge):
    assert judge(report(family).out) == ""


def test_the_defects_are_told_apart():
    assert len(ROWS) == len(set(ROWS))
    assert {row.get("shows", "sarif") for table in FAMILIES.values() for row in table["defect"]} <= set(SHOWN)
