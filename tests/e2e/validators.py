"""What judges the reports that are made of all stages: sarif-multitool, html-validate, and xmllint with their schemas.

The first two come from npm into a container of the tests' own, where an engine keeps them; xmllint is the machine's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import anyio
import dagger
from dagger import dag

from sealane.config import Config
from sealane.stages import steps

SCHEMAS = Path(__file__).parent.parent / "golden" / "schemas"
# Read from the npm registry on 2026-11-26. html-validate 10 wants Node 20; ours is 18.
PACKAGES = ("@microsoft/sarif-multitool@5.7.0", "html-validate@9.7.1")
# The standard's rules, and those for readers who can't see. Left out: a table that a phone shows as blocks keeps its
# roles only when they are said (no-redundant-role), a label on what can be scrolled is what a screen reader says of it
# (aria-label-misuse), and two matters of style.
RULES = """{"extends": ["html-validate:standard", "html-validate:a11y"], "rules": {
"no-redundant-role": "off", "aria-label-misuse": "off", "doctype-style": "off", "no-trailing-whitespace": "off"}}"""
# Jenkins took these until 2018, pytest and PHPUnit write them, GitLab and CircleCI read them: a failed test's place.
CASE = '<xs:attribute name="classname" type="xs:string"/>'
PLACE = '<xs:attribute name="file" type="xs:string"/><xs:attribute name="line" type="xs:string"/>'


def judge(folder: Path) -> str:
    """What validators hold against the merged reports in a folder; empty when they have nothing to say."""
    said = [anyio.run(_packaged, folder)]
    if (folder / "junit.xml").exists():
        said.append(_xmllint(folder / "junit.xml", "--schema", "-", schema=_schema(folder / "junit.xml")))
    if (folder / "cobertura.xml").exists():
        said.append(_xmllint(folder / "cobertura.xml", "--dtdvalid", str(SCHEMAS / "coverage-04.dtd")))
    return "\n".join(filter(None, said))


def _schema(junit: Path) -> str:
    """Jenkins' schema; for a report with failed tests also with the attributes of their places."""
    schema = (SCHEMAS / "junit-10.xsd").read_text()
    assert schema.count(CASE) == 1
    failed = any(f"<{tag}" in junit.read_text() for tag in ("failure", "error", "flakyFailure"))
    return schema.replace(CASE, CASE + PLACE) if failed else schema


def _xmllint(file: Path, *words: str, schema: str = "") -> str:
    command = ["xmllint", "--noout", "--nonet", *words, str(file)]
    done = subprocess.run(command, input=schema, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


async def _packaged(folder: Path) -> str:
    """sarif-multitool ends with 0 whatever it finds: an error is a line that says so."""
    async with dagger.connection():
        ready = steps.node_base(Config()).with_exec(["npm", "install", "--global", "--no-audit", *PACKAGES])
        ready = ready.with_env_variable("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        ready = ready.with_new_file("/report/.htmlvalidate.json", RULES).with_workdir("/report")
        for name in ("findings.sarif", "report.html"):
            ready = ready.with_file(f"/report/{name}", dag.host().file(str(folder / name)))
        sarif = await steps.attempt(
            ready, ["sarif-multitool", "validate", "findings.sarif", "--output", "/tmp/v.sarif"]
        )
        html = await steps.attempt(ready, ["html-validate", "report.html"])
    errors = [line for line in sarif.output.splitlines() if ": error " in line]
    if sarif.exit_code or "Analysis completed successfully" not in sarif.output:
        errors.append(f"sarif-multitool ended with {sarif.exit_code}:\n{sarif.output}")
    return "\n".join([*errors, *([html.output] if html.exit_code else [])])
