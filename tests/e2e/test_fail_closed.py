"""A scanner, a linter or a test run that breaks, in every way we know, is never clean; in bounded time and memory.

The tools here are programs of a line or two: real processes, in real steps, whose reports take the way of all reports.
"""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import anyio
import dagger
import pytest

from sealane.config import Config
from sealane.config.stages import LintConfig
from sealane.findings import scanners
from sealane.findings.scanners import LARGEST
from sealane.stages import project, steps
from sealane.stages.lint import part
from sealane.stages.lint.part import Part
from sealane.stages.lint.table import TOOLS
from sealane.stages.scanners import scanned
from sealane.stages.scanners.scanned import Scanned, Tool
from sealane.stages.test import pytests
from sealane.stages.test.suites import Suite

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

OUTPUT = "/reports/report.json"
GOOD = {"SchemaVersion": 2, "Results": [{"Target": "requirements.txt", "Vulnerabilities": []}]}
UNKNOWN = {"SchemaVersion": 2, "Results": [{"Target": "a", "Vulnerabilities": [{"VulnerabilityID": "X", "PkgName": "a", "Severity": "CATASTROPHIC"}]}]}  # fmt: skip
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
FIVE_HUNDRED = 500 * 1024 * 1024
HUGE = f"import sys; out = open(sys.argv[1], 'wb'); [out.write(b' ' * 2**20) for _ in range({FIVE_HUNDRED >> 20})]"


def writes(text: str) -> list[str]:
    return ["python", "-c", WRITE, OUTPUT, text]


def deaf(seconds: int) -> list[str]:
    return [
        "python",
        "-c",
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep({seconds})",
    ]


@dataclass(frozen=True)
class Case:
    """What the scanner does, and what must be said of it."""

    name: str
    command: list[str]
    says: str
    seconds: int = 60
    stdout: bool = False


CASES = (
    Case("killed", ["sh", "-c", "kill -9 $$"], "trivy was killed"),
    Case("killed by something else", ["sh", "-c", "kill -11 $$"], "trivy exited with 139"),
    Case("hanging", ["sleep", "600"], "trivy was stopped after 2 s", seconds=2),
    Case("hanging and deaf to being stopped", deaf(600), "trivy was killed", seconds=2),
    Case("malformed", writes(json.dumps(GOOD)[:-4]), "trivy's report can't be read: JSONDecodeError"),
    Case("binary", ["sh", "-c", f"head -c 4096 /dev/urandom >{OUTPUT}"], "trivy's report can't be read"),
    Case("empty", writes(""), "trivy's report can't be read: it is empty"),
    Case("none", ["true"], "trivy's report can't be read: stat"),
    Case("a folder", ["mkdir", OUTPUT], "trivy's report can't be read"),
    Case("a link that leads out", ["ln", "-s", "/proc/self/environ", OUTPUT], "trivy's report can't be read"),
    Case("500 MB", ["python", "-c", HUGE, OUTPUT], f"it has {FIVE_HUNDRED} bytes, more than {LARGEST}"),
    Case("500 MB printed", ["python", "-c", HUGE, "/dev/stdout"], "trivy's report can't be read", stdout=True),
    Case("an unknown severity", writes(json.dumps(UNKNOWN)), "unknown severity 'CATASTROPHIC'"),
    Case("nothing looked at", writes('{"SchemaVersion": 2}'), "trivy found no file or package to look at"),
)


async def ran(case: Case) -> Scanned:
    async with dagger.connection():
        tool = Tool("trivy", scanners.READERS["trivy"], "report.json")
        return await scanned.run(tool, steps.python(), case.command, OUTPUT, case.seconds, stdout=case.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_scanner_that_breaks_is_not_scanned(case: Case, session: int):
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    done = anyio.run(ran, case)
    assert case.says in done.wrong, done.wrong
    assert done.findings == ()
    # A minute is what the deadline itself grants a step that does not end; a busy machine needs some of it.
    assert time.monotonic() - started < case.seconds + 120
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 300 * 1024, "kB that our own process grew by"
    assert high_water(session) < 600 * 1024, "kB that the engine ever had"


def test_the_same_scanner_is_clean_when_it_says_so(session: int):
    done = anyio.run(ran, Case("good", writes(json.dumps(GOOD)), ""))
    assert (done.wrong, done.findings, done.read) == ("", (), True)


def test_a_failure_is_not_kept(session: int):
    """What failed for a passing reason succeeds the next time, with nothing changed."""

    async def twice() -> list[Scanned]:
        async with dagger.connection():
            again = dagger.dag.cache_volume(f"sealane-test-{time.time_ns()}")
            container = steps.python().with_mounted_cache("/again", again)
            script = f"import os, sys; sys.exit(3) if not os.path.exists('/again/x') and not open('/again/x', 'w').close() else open('{OUTPUT}', 'w').write({json.dumps(GOOD)!r})"
            tool = Tool("trivy", scanners.READERS["trivy"], "report.json")
            return [await scanned.run(tool, container, ["python", "-c", script], OUTPUT, 60) for _ in range(2)]

    first, second = anyio.run(twice)
    assert first.wrong.startswith("trivy exited with 3")
    assert second.wrong == ""


BANDIT = "/reports/bandit-report.json"
DOOM = {"results": [{"test_id": "B602", "issue_severity": "CATASTROPHIC", "issue_text": "x", "filename": "a.py", "line_number": 1}], "errors": []}  # fmt: skip
LINTERS = (
    Case("killed", ["sh", "-c", "kill -9 $$"], "killed"),
    Case("killed by something else", ["sh", "-c", "kill -11 $$"], "exited with 139"),
    Case("hanging", ["sleep", "600"], "stopped after 2 s (`lint.timeout`)", seconds=2),
    Case("hanging and deaf to being stopped", deaf(600), "killed", seconds=2),
    Case("malformed", ["python", "-c", WRITE, BANDIT, json.dumps(DOOM)[:-4]], "can't be read"),
    Case("empty", ["python", "-c", WRITE, BANDIT, ""], "can't be read"),
    Case("none", ["true"], "can't be read"),
    Case("500 MB", ["python", "-c", HUGE, BANDIT], f"it has {FIVE_HUNDRED} bytes, more than {LARGEST}"),
    Case(
        "an unknown severity",
        ["python", "-c", WRITE, BANDIT, json.dumps(DOOM)],
        "'catastrophic' is not a valid Severity",
    ),
)


async def linted(case: Case) -> Part:
    async with dagger.connection():
        config = Config(lint=LintConfig(timeout=case.seconds))
        return await part.executed("bandit", TOOLS["bandit"], steps.python(), case.command, config)


@pytest.mark.parametrize("case", LINTERS, ids=lambda case: case.name)
def test_a_linter_that_breaks_is_not_clean(case: Case, session: int):
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    done = anyio.run(linted, case)
    assert not done.clean
    assert case.says in " ".join((done.broken, *(finding.message for finding in done.findings)))
    assert time.monotonic() - started < case.seconds + 120
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 300 * 1024, "kB that our own process grew by"
    assert high_water(session) < 600 * 1024, "kB that the engine ever had"


JUNIT = "/reports/junit-unit.xml"
PASSED = '<testsuites><testsuite name="a"><testcase name="a" time="1"/></testsuite></testsuites>'
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">{}]><testsuites>&j;</testsuites>'.format(
    "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
)
RUNS = (
    Case("malformed", ["python", "-c", WRITE, JUNIT, "<testsuites><testsuite>"], "is not valid XML"),
    Case("a time that is none", ["python", "-c", WRITE, JUNIT, '<testsuites><testcase name="a" time="soon"/></testsuites>'], "has no figures"),
    Case("a billion laughs", ["python", "-c", WRITE, JUNIT, LAUGHS], "declares entities"),
    Case("500 MB", ["python", "-c", HUGE, JUNIT], f"it has {FIVE_HUNDRED} bytes, more than {LARGEST}"),
    Case("500 MB of coverage", ["python", "-c", f"{HUGE}; open('{JUNIT}', 'w').write({PASSED!r})", "/reports/coverage.xml"], ""),
    Case("none", ["true"], "pytest ended with 0 and left no report"),
    Case("killed", ["sh", "-c", "kill -9 $$"], "pytest exited with 137"),
)  # fmt: skip


async def suite_of(case: Case) -> Suite:
    """A run of a pytest that is the case's command."""
    async with dagger.connection():
        found = await project.read(dagger.dag.directory().with_new_file("tests/unit/test_a.py", ""))
        fake = f"import os\nos.execvp({case.command[0]!r}, {case.command!r})\n"
        container = steps.python().with_new_file("/src/pytest.py", fake).with_new_file("/reports/.keep", "")
        return await pytests.suite(pytests.Run("unit", ("tests/unit",), covered=True), container, found)


@pytest.mark.parametrize("case", RUNS, ids=lambda case: case.name)
def test_a_test_report_that_is_broken_proves_nothing(case: Case, session: int):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = anyio.run(suite_of, case)
    assert case.says in done.wrong, done.wrong
    assert bool(done.wrong) == bool(case.says)
    assert "coverage" not in done.figures, "the gate then reads *not measured*"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 300 * 1024, "kB that our own process grew by"
    assert high_water(session) < 600 * 1024, "kB that the engine ever had"


def high_water(pid: int) -> int:
    """The most memory a process ever had resident, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
