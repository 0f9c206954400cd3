"""One run of pytest in a container: bounded in time, its failed tests tried again only on request."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane.errors import ReportUnreadable
from sealane.findings import Test, TestOutcome, coverage, junit
from sealane.stages import steps
from sealane.stages.scanners import scanned
from sealane.stages.test import suites
from sealane.stages.test.suites import Suite

if TYPE_CHECKING:
    import dagger

    from sealane.config.model import Category
    from sealane.stages.project import Project

_NOTHING_COLLECTED = 5
# Tests run as root, for which a file that nobody may read is no obstacle. Without these two they meet it as any user does.
_AS_ANYONE = ("setpriv", "--inh-caps=-dac_override,-dac_read_search", "--bounding-set=-dac_override,-dac_read_search")
_BEGUN = re.compile(r"^(?P<file>\S+)\.py::(?P<name>\S[^\n]*?)[ \t]*$", re.MULTILINE)
_THREAD = re.compile(r"^(?:Current thread|Thread) .*\(most recent call first\):$", re.MULTILINE)
_FRAME = re.compile(rf'^  File "{steps.SOURCE}/(?P<file>[^"\n]+)", line (?P<line>\d+) in ', re.MULTILINE)
_ENDED = re.compile(r"(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")


@dataclass(frozen=True, slots=True)
class Run:
    """What is run: a category's tests, in one row of the matrix (`label`), with coverage or without."""

    category: Category
    paths: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    label: str = ""
    covered: bool = False

    @property
    def name(self) -> str:
        return f"{self.category} ({self.label})" if self.label else self.category

    @property
    def slug(self) -> str:
        """As part of a file's name. What is covered has the guide's names, whatever else the matrix holds."""
        if self.covered or not self.label:
            return self.category
        return f"{self.category}-{re.sub(r'[^A-Za-z0-9.]+', '-', self.label).strip('-')}"


@dataclass(frozen=True, slots=True)
class _Outcome:
    done: steps.Executed
    junit: str
    tests: tuple[Test, ...]
    left: frozenset[str]


async def suite(run: Run, container: dagger.Container, project: Project) -> Suite:
    """The run to its end. Raises dagger.QueryError when a service beside it does not start."""
    try:
        first = await _once(run, container, project)
        last, tests, notes = await _again(run, first, project)
    except ReportUnreadable as error:
        return Suite(run.name, ran=True, wrong=error.message, slug=run.slug)
    done = first.done
    if done.exit_code == _NOTHING_COLLECTED and not tests:
        note = f"{run.name}: no tests collected"
        return Suite(run.name, ran=False, log=done.output, slug=run.slug, container=done.container, notes=(note,))
    wrong = _what_is_wrong(run, done, last.done, tests, project)
    if not wrong and not first.junit:
        wrong = "pytest ended with 0 and left no report"
    if wrong and not first.tests:
        notes = (*notes, f"the end of the {run.name} log:\n{steps.last_lines(done.output)}")
    return Suite(
        run.name,
        ran=True,
        wrong=wrong,
        tests=tests,
        log="\n".join(dict.fromkeys((done.output, last.done.output))),
        slug=run.slug,
        container=last.done.container,
        junit=first.junit if tests == first.tests else junit.write(tests),
        figures=await _figures(last) if run.covered else {},
        notes=notes,
    )


async def _once(run: Run, container: dagger.Container, project: Project, attempt: int = 0) -> _Outcome:
    """One attempt; a later one takes only what failed before."""
    config = project.config.test
    report = f"junit-{run.slug}.xml" if attempt == 0 else f"junit-{run.slug}-retry-{attempt}.xml"
    command = [*_AS_ANYONE, "python", "-m", "pytest", *run.paths, "-v"]
    if run.covered:
        command += _coverage_of(project)
        command += [f"--cov-report=xml:{steps.REPORTS}/coverage.xml", f"--cov-report=html:{steps.REPORTS}/htmlcov"]
    command += [f"--junit-xml={steps.REPORTS}/{report}", *run.arguments]
    if not _dumps_itself(project):
        # A test that takes half of all the time shows where it is, since an interrupt shows only its innermost line.
        command += ["-o", f"faulthandler_timeout={config.limit(run.category) / 2:g}"]
    if config.retries:
        command += ["--maxfail=0"]  # a flaky test must not keep the others from running
    if attempt:
        command += ["--last-failed", *(["--cov-append"] if run.covered and "--cov-append" not in command else [])]
    done = await steps.attempt(container, suites.bounded(config.limit(run.category), command))
    left = frozenset(await done.container.directory(steps.REPORTS).entries())
    file = done.container.file(f"{steps.REPORTS}/{report}")
    text = await scanned.text_of(file, f"pytest ({run.name})") if report in left else ""
    tests = tuple(junit.read(text, run.name)) if text else ()
    if suites.ran_out(done):
        tests = (*tests, _stopped(run, done, project))
        text = junit.write(tests)
    return _Outcome(done, text, tests, left)


async def _again(run: Run, first: _Outcome, project: Project) -> tuple[_Outcome, tuple[Test, ...], tuple[str, ...]]:
    """What failed, tried again as often as the configuration says; the last attempt, and all tests as they are now."""
    last, tests = first, first.tests
    for attempt in range(1, project.config.test.retries + 1):
        if not any(test.failed for test in tests) or suites.ran_out(last.done):
            break
        last = await _once(run, last.done.container, project, attempt)
        tests = junit.retried(tests, last.tests)
    flaky = [test.name for test in tests if test.outcome is TestOutcome.FLAKY]
    return last, tests, ((f"{run.name}: flaky, passed only when tried again: {', '.join(flaky)}",) if flaky else ())


def _stopped(run: Run, done: steps.Executed, project: Project) -> Test:
    """The test in which pytest was when its time ran out."""
    begun = [match for match in _BEGUN.finditer(done.output) if not _ENDED.search(match["name"])]
    name, file, line = "all tests", "", 0
    if begun:
        file = f"{begun[-1]['file']}.py"
        *classes, function = begun[-1]["name"].split("::")
        name = f"{'.'.join([begun[-1]['file'].replace('/', '.'), *classes])}::{function}"
    # The main thread is the last one of a dump, its innermost frame the first.
    frame = _FRAME.search(_THREAD.split(done.output)[-1]) if _THREAD.search(done.output) else None
    if frame:
        file, line = frame["file"], int(frame["line"])
    output = steps.last_lines(done.output, 40)
    return Test(run.name, name, TestOutcome.ERROR, _limit(run, project), file, line, output=output)


def _dumps_itself(project: Project) -> bool:
    settings = project.pyproject.get("tool", {}).get("pytest", {}).get("ini_options", {})
    return "faulthandler_timeout" in settings


def _limit(run: Run, project: Project) -> str:
    config = project.config.test
    key = f"test.timeouts.{run.category}" if run.category in config.timeouts else "test.timeout"
    return f"did not end within {config.limit(run.category)} s (`{key}`)"


def _coverage_of(project: Project) -> list[str]:
    names = project.config.test.coverage
    if names is None and project.says_what_is_measured:
        return ["--cov"]
    if names is None:
        names = tuple(posixpath.basename(package).removesuffix(".py") for package in project.packages) or (".",)
    return [f"--cov={name}" for name in names]


async def _figures(outcome: _Outcome) -> dict[str, float]:
    if "coverage.xml" not in outcome.left:
        return {}
    try:
        text = await scanned.text_of(outcome.done.container.file(f"{steps.REPORTS}/coverage.xml"), "coverage")
        return {"coverage": coverage.percent(text)}
    except ReportUnreadable:
        return {}  # the gate then reads *not measured*


def _what_is_wrong(
    run: Run, first: steps.Executed, last: steps.Executed, tests: tuple[Test, ...], project: Project
) -> str:
    if suites.ran_out(first) or suites.ran_out(last):
        return _limit(run, project)
    failed = sum(test.failed for test in tests)
    if failed:
        return f"{failed} of {len(tests)} failed"
    # Where all that failed passed later, the last attempt's code speaks for the whole.
    done = last if any(test.outcome is TestOutcome.FLAKY for test in tests) else first
    if done.exit_code:
        return f"pytest exited with {done.exit_code}: {steps.last_lines(done.output, 1)}"
    return ""
