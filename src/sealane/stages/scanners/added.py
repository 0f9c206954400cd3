"""Secrets in what commits added, by the rules that ship: for where neither TruffleHog nor gitleaks can be had."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from dagger import dag

from sealane.stages import steps
from sealane.stages.scanners import scanned, semgrep
from sealane.stages.scanners.scanned import Scanned

if TYPE_CHECKING:
    import dagger

    from sealane.config.stages import ScanConfig
    from sealane.findings import Finding

NAME = "history"
WHOLE, RANGE = "secrets-history.json", "secrets-range.json"
_PATCH, _FOLDER = "/tmp/history.patch", "/added"  # noqa: S108 - in the scanner's own container
_TOO_MUCH = 3
# Every commit once, parents first; a merge by what it brings, which may be what no other commit has. No setting or
# attribute of the repository may hide a file, and its words for a path are undone by the script.
_LOG = (
    "git", "-c", "core.quotePath=false", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false",
    "log", "--all", "--full-history", "--topo-order", "--reverse", "--diff-merges=first-parent", "--no-renames",
    "--no-color", "--no-ext-diff", "--no-textconv", "--text", "--src-prefix=a/", "--dst-prefix=b/",
    "--unified=0", "--format=commit %H", f"--output={_PATCH}",
)  # fmt: skip


async def run(repository: dagger.Container, config: ScanConfig, base: str) -> Scanned:
    """`repository` is a container with Git whose working directory has the history.

    Raises steps.CannotRunError when Semgrep can't be had.
    """
    limit = ["timeout", "-k", "10", str(config.timeout)]
    logged = await steps.attempt(repository, [*limit, *_LOG], keep=False)
    if logged.exit_code:
        return Scanned(NAME, wrong=scanned.ended("git log", logged, config.timeout))
    ready = steps.python().with_mounted_file("/scan/patch", logged.container.file(_PATCH))
    ready = ready.with_new_file("/sealane/unroll.py", steps.script("unroll.py"))
    unrolled = await steps.attempt(ready, [*limit, "python", "/sealane/unroll.py", "/scan/patch", _FOLDER], keep=False)
    if unrolled.exit_code == _TOO_MUCH:
        return Scanned(NAME, wrong="the history is more than Sealane's own rules get through")
    if unrolled.exit_code:
        return Scanned(NAME, wrong=scanned.ended("unroll.py", unrolled, config.timeout))
    index = json.loads(await scanned.text_of(unrolled.container.file(f"{_FOLDER}/index.json"), NAME))
    done = await semgrep.secrets_in(unrolled.container.directory(_FOLDER), config)
    rows = [(commit, finding) for finding in done.findings for commit, finding in (_placed(finding, index),)]
    report = dag.directory().with_new_file(WHOLE, _written(rows))
    if base:
        ranged = await steps.attempt(repository, ["git", "rev-list", f"{base}..HEAD"])
        commits = set(ranged.stdout.split())
        report = report.with_new_file(RANGE, _written([row for row in rows if row[0] in commits]))
    found = tuple(finding for _, finding in rows)
    return replace(done, name=NAME, findings=found, report=report)


def _placed(finding: Finding, index: list[tuple[str, str, int]]) -> tuple[str, Finding]:
    """The commit, and the finding where that commit had it. Semgrep saw a file `<n>.txt`."""
    commit, path, first = index[int(finding.file.removesuffix(".txt"))]
    said = f"{finding.message} (in commit {commit[:12]})"
    return commit, replace(finding, file=path, line=first + finding.line - 1, message=said)


def _written(rows: list[tuple[str, Finding]]) -> str:
    """Place, commit and rule, as gitleaks names them; never the secret."""
    told = [
        {"RuleID": f.rule, "Description": f.message, "File": f.file, "StartLine": f.line, "Commit": commit}
        for commit, f in rows
    ]
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"
