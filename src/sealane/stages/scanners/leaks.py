"""Secrets in the files of a project and in the history of its repository: gitleaks and TruffleHog."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dagger import dag

from sealane.errors import ReportUnreadable
from sealane.findings.scanners import READERS, Said
from sealane.findings.scanners.common import check
from sealane.stages import steps, tools
from sealane.stages.git import with_git
from sealane.stages.scanners import added, dependencies, scanned
from sealane.stages.scanners.scanned import Scanned, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dagger

    from sealane.config.stages import ScanConfig
    from sealane.stages.project import Project

GITLEAKS, TRUFFLEHOG = "gitleaks", "trufflehog"
HISTORY = added.NAME
REPOSITORY = "/scan/repository"
_BIN = "/opt/sealane/bin"
# When Git fails, gitleaks logs an error, writes an empty report and ends with 0.
_ERROR = re.compile(r"\b(ERR|FTL)\b")
_RAW, _LOG = "/tmp/found.jsonl", "/tmp/log.jsonl"  # noqa: S108 - in the scanner's own container


async def gitleaks(project: Project) -> Scanned:
    """Look through the files with gitleaks."""
    base = await _gitleaks(project.config.scan)
    if isinstance(base, Scanned):
        return base
    words, output = ["dir", "."], f"{steps.REPORTS}/gitleaks-report.json"
    ready = base.with_workdir(steps.SOURCE).with_mounted_directory(steps.SOURCE, project.source)
    return _without_excluded(await _leaks(ready, words, output, project.config.scan), project)


async def trufflehog(project: Project) -> Scanned:
    """Look through the files with TruffleHog."""
    base = await _trufflehog(project.config.scan)
    if isinstance(base, Scanned):
        return base
    ready = base.with_mounted_directory(steps.SOURCE, project.source)
    words = ["filesystem", steps.SOURCE]
    return _without_excluded(await _hogs(ready, words, "trufflehog-report.jsonl", project.config.scan), project)


async def history(project: Project, repository: dagger.Directory, base: str) -> Scanned:
    """Every commit of the repository, and those of `base..HEAD` by themselves: by TruffleHog, else by gitleaks, else by
    the rules that ship.
    """
    config = project.config.scan
    git = await scanned.ready(HISTORY, _with_git(), config.timeout)
    if isinstance(git, Scanned):
        return git
    mounted = git.with_mounted_directory(REPOSITORY, repository)
    wrong, commits = await _commits(mounted, base)
    if wrong:
        return Scanned(HISTORY, wrong=wrong)
    hog = await _trufflehog(config)
    if isinstance(hog, Scanned):
        leaks = await _gitleaks(config)
        if isinstance(leaks, Scanned):
            done = await _by_our_rules(mounted, config, base, f"{hog.wrong}; {leaks.wrong}")
            said = f"history by Sealane's rules (neither TruffleHog nor gitleaks can be had), {commits} commits"
        else:
            done = await _by_gitleaks(leaks.with_mounted_directory(REPOSITORY, repository), config, base)
            said = f"history by gitleaks (TruffleHog can't be had), {commits} commits"
    else:
        done = await _by_trufflehog(hog.with_mounted_directory(REPOSITORY, repository), config, base)
        said = f"history by TruffleHog, {commits} commits"
    kept = _without_excluded(done, project)
    return replace(kept, name=HISTORY, notes=(said, *kept.notes), figures={"commits": commits})


def _without_excluded(done: Scanned, project: Project) -> Scanned:
    """Without what lies in paths of `scan.exclude`, of which the number is said."""
    kept = tuple(finding for finding in done.findings if not dependencies.left_out(finding.file, project))
    dropped = len(done.findings) - len(kept)
    notes = (f"{dropped} secrets in paths of scan.exclude",) if dropped else ()
    return replace(done, findings=kept, notes=(*done.notes, *notes))


async def is_ahead(repository: dagger.Directory, base: str) -> bool:
    """Whether HEAD has commits that `base` has not. Raises steps.CannotRunError."""
    git = (await steps.installed(_with_git(), "git")).with_mounted_directory(REPOSITORY, repository)
    counted = await steps.attempt(git, ["git", "rev-list", "--count", f"{base}..HEAD"])
    return counted.stdout.strip() not in {"", "0"}


async def _commits(git: dagger.Container, base: str) -> tuple[str, int]:
    """What keeps the history from being looked at whole (empty when nothing does), and how many commits it has."""
    asked = await steps.attempt(git, ["git", "rev-parse", "--is-shallow-repository"])
    if asked.exit_code:
        return f"no history: {steps.last_lines(asked.output, 1)}", 0
    if asked.stdout.strip() != "false":
        return "the repository is shallow: fetch all of its history (`git fetch --unshallow`)", 0
    if base and (await steps.attempt(git, ["git", "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}"])).exit_code:
        return f"the repository has no commit {base}: fetch it, or name another (`--base`)", 0
    counted = await steps.attempt(git, ["git", "rev-list", "--all", "--count"])
    return "", int(counted.stdout.strip() or 0)


async def _by_gitleaks(ready: dagger.Container, config: ScanConfig, base: str) -> Scanned:
    parts = [("gitleaks-history.json", "--all")] + ([("gitleaks-range.json", f"{base}..HEAD")] if base else [])
    runs = [["git", "--log-opts", f"--full-history {which}", "."] for _, which in parts]
    outputs = [f"{steps.REPORTS}/{name}" for name, _ in parts]
    return _together([await _leaks(ready, w, o, config) for w, o in zip(runs, outputs, strict=True)])


async def _by_our_rules(mounted: dagger.Container, config: ScanConfig, base: str, others: str) -> Scanned:
    try:
        return await added.run(mounted, config, base)
    except steps.CannotRunError as error:
        return Scanned(
            HISTORY, wrong=f"none can be had: {others}; {error.message}", report=scanned.log(HISTORY, error.log)
        )


async def _by_trufflehog(ready: dagger.Container, config: ScanConfig, base: str) -> Scanned:
    whole = ["git", f"file://{REPOSITORY}"]
    parts = [await _hogs(ready, whole, "trufflehog-history.jsonl", config)]
    if base:
        parts.append(await _hogs(ready, [*whole, "--since-commit", base], "trufflehog-range.jsonl", config))
    return _together(parts)


def _together(parts: Sequence[Scanned]) -> Scanned:
    """What is in both is found once."""
    report = dag.directory()
    for part in parts:
        report = report.with_directory("/", part.report) if part.report else report
    wrong = "; ".join(dict.fromkeys(part.wrong for part in parts if part.wrong))
    return Scanned(HISTORY, tuple(dict.fromkeys(f for part in parts for f in part.findings)), report, wrong)


def _with_git() -> dagger.Container:
    base = with_git(dag.container().from_(tools.image("debian")))
    return base.with_new_file(f"{steps.REPORTS}/.keep", "").with_workdir(REPOSITORY)


async def _gitleaks(config: ScanConfig) -> dagger.Container | Scanned:
    """Build it from its module, and put it beside Git."""
    go = _with_git().with_exec(["apt-get", "install", "-y", "--no-install-recommends", "golang-go"])
    built = (
        go.with_env_variable("GOTOOLCHAIN", tools.go_module("toolchain"))
        .with_env_variable("GOBIN", _BIN)
        .with_env_variable("CGO_ENABLED", "0")
        .with_mounted_cache("/root/go", dag.cache_volume("sealane-go"))
        .with_mounted_cache("/root/.cache/go-build", dag.cache_volume("sealane-go-build"))
        .with_exec(["go", "install", tools.go_module(GITLEAKS)])
    )
    had = await scanned.ready(GITLEAKS, built, config.timeout)
    if isinstance(had, Scanned):
        return had
    return _with_git().with_file(f"{_BIN}/{GITLEAKS}", had.file(f"{_BIN}/{GITLEAKS}"))


async def _leaks(ready: dagger.Container, words: list[str], output: str, config: ScanConfig) -> Scanned:
    """One run of gitleaks, which leaves the secrets themselves out of its report."""
    name = output.rpartition("/")[2]
    command = [f"{_BIN}/{GITLEAKS}", *words[:-1], "--redact=100", "--exit-code=0", "--no-banner", "--no-color"]
    command += ["--report-format=json", f"--report-path={output}", words[-1]]
    tool = Tool(GITLEAKS, READERS[GITLEAKS], name, complains=_ERROR)
    return await scanned.run(tool, ready, command, output, config.timeout)


async def _trufflehog(config: ScanConfig) -> dagger.Container | Scanned:
    base = dag.container().from_(tools.image(TRUFFLEHOG)).with_entrypoint([])
    base = base.with_new_file("/sealane/quiet.sh", steps.script("quiet.sh")).with_new_file(f"{steps.REPORTS}/.keep", "")
    return await scanned.ready(TRUFFLEHOG, base, config.timeout)


async def _hogs(ready: dagger.Container, words: list[str], name: str, config: ScanConfig) -> Scanned:
    """One run of TruffleHog. What it prints holds the secrets: only a report without them leaves the container's files."""
    command = ["sh", "/sealane/quiet.sh", _RAW, _LOG, "trufflehog", *words, "--json", "--no-update"]
    limited = ["timeout", "-k", "10", str(config.timeout), *command, "--fail-on-scan-errors"]
    done = await steps.attempt(scanned.fresh(ready, config), limited, keep=False)
    if done.exit_code:
        return Scanned(TRUFFLEHOG, wrong=scanned.ended(TRUFFLEHOG, done, config.timeout))
    try:
        raw = await scanned.text_of(done.container.file(_RAW), TRUFFLEHOG)
        log = await scanned.text_of(done.container.file(_LOG), TRUFFLEHOG)
        said = _masked(raw, log)
    except ReportUnreadable as error:
        return Scanned(TRUFFLEHOG, wrong=error.message)
    report = dag.directory().with_new_file(name, said[1])
    return Scanned(TRUFFLEHOG, said[0].findings, report, said[0].missing, read=True)


def _masked(raw: str, log: str) -> tuple[Said, str]:
    """What TruffleHog found, and its report without the secrets. Raises ReportUnreadable."""
    together = f"{raw.rstrip()}\n{log}"
    check(together, TRUFFLEHOG)
    said = READERS[TRUFFLEHOG](together)
    found = [json.loads(line) for line in raw.splitlines() if line.strip()]
    shown = [{k: v for k, v in entry.items() if k not in {"Raw", "RawV2", "Redacted", "ExtraData"}} for entry in found]
    return said, "".join(json.dumps(entry) + "\n" for entry in shown) or "\n"
