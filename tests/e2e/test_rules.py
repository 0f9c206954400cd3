"""Every rule that ships, run by the Semgrep of the stage scan in one step: it finds its case and leaves the other alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import anyio
import dagger
import pytest

from sealane.findings import sarif
from sealane.stages import steps
from sealane.stages.scanners import semgrep

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

GOLDEN = Path(__file__).parent.parent / "golden" / "rules"


def files() -> dict[str, str]:
    """Path → text of every case: `<rule>/bad/<path>` and `<rule>/good/<path>`. A list holds parts of a text."""
    found = {}
    for table in sorted(GOLDEN.glob("*.toml")):
        for case in tomllib.loads(table.read_text())["case"]:
            for kind in ("bad", "good"):
                found[f"{case['rule']}/{kind}/{case['path']}"] = "".join(case[kind])
    return found


async def found_in(texts: dict[str, str]) -> set[tuple[str, str]]:
    """(rule, file) of every finding of all rules together."""
    async with dagger.connection():
        source = dagger.dag.directory().with_new_file(".semgrepignore", "")
        for path, text in texts.items():
            source = source.with_new_file(path, text)
        container = (await semgrep.scanner()).with_mounted_directory(steps.SOURCE, source)
        done = await steps.attempt(container, semgrep.command(semgrep.everything(), "/reports/all.sarif"))
        assert done.exit_code == 0, done.output
        findings = sarif.read(await done.container.file("/reports/all.sarif").contents(), "semgrep")
    return {(finding.rule, finding.file) for finding in findings}


@pytest.mark.usefixtures("session")
def test_each_rule_finds_its_case_and_leaves_the_other_alone():
    texts = files()
    found = anyio.run(found_in, texts)
    must = {path for path in texts if "/bad/" in path}
    assert {path for path in must if (path.split("/")[0], path) not in found} == set(), "missed"
    assert {(rule, path) for rule, path in found if path.startswith(f"{rule}/good/")} == set(), "false alarms"
