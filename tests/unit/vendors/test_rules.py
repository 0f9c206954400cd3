"""What runs for which event: the guide's rules, and what a wrapper may say beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sealane.config import CiConfig
from sealane.config.read import parse
from sealane.errors import ConfigError
from sealane.vendors.model import Context, Event
from sealane.vendors.render import FILES, render
from sealane.vendors.rules import RULES, Work, keeps_cache, work_for
from sealane.vendors.table import VENDORS

PUSH, REQUEST = Event.PUSH, Event.PULL_REQUEST
ROWS = [
    # event, branch, base, what runs
    (PUSH, "main", "", Work.PIPELINE),
    (PUSH, "develop", "", Work.PIPELINE),
    (PUSH, "feature/x", "", None),
    (PUSH, "", "", Work.PIPELINE),  # the vendor doesn't say which: better run
    (REQUEST, "feature/x", "main", Work.PIPELINE),
    (REQUEST, "feature/x", "develop", None),
    (REQUEST, "main", "", Work.PIPELINE),
    (Event.TAG, "", "", Work.PIPELINE),
    (Event.MANUAL, "feature/x", "", Work.PIPELINE),
    (Event.SCHEDULE, "main", "", Work.SECURITY),
]


@pytest.mark.parametrize(("event", "branch", "base", "work"), ROWS)
def test_an_event_runs_what_the_guide_says(event: Event, branch: str, base: str, work: Work | None):
    assert work_for(Context("any", event, branch=branch, base=base), CiConfig()) is work


def test_every_event_has_one_rule():
    assert [rule.event for rule in RULES] == list(dict.fromkeys(rule.event for rule in RULES))
    assert {rule.event for rule in RULES} == set(Event)


@pytest.mark.parametrize("event", Event)
def test_the_nightly_workflow_is_the_nightly_one_whoever_starts_it(event: Event):
    assert work_for(Context("github", event, branch="feature/x"), CiConfig(), "security") is Work.SECURITY


KEPT = [
    (Context("any", Event.PUSH, branch="main"), True),
    (Context("any", Event.PUSH, branch="develop"), True),
    (Context("any", Event.PUSH, branch="feature"), False),
    (Context("any", Event.PUSH), False),
    (Context("any", Event.PUSH, branch="main", fork=True), False),
    (Context("any", Event.PULL_REQUEST, branch="main", base="main"), False),
    (Context("any", Event.PULL_REQUEST, branch="main", base="main", fork=True), False),
    (Context("any", Event.TAG, tag="main", branch="main"), False),
    (Context("any", Event.MANUAL, branch="main"), False),
    (Context("any", Event.SCHEDULE, branch="main"), False),
]


@pytest.mark.parametrize(("context", "kept"), KEPT, ids=str)
def test_only_pushes_to_the_projects_own_branches_write_the_cache(context: Context, kept: bool):
    assert keeps_cache(context, CiConfig()) is kept


def test_githubs_nightly_workflow_says_what_it_is_for():
    made = render("github", CiConfig(command="ci/sealane"))
    assert "ci run security" in made[".github/workflows/security.yml"]
    assert 'run: "SEALANE_CACHE=.sealane-cache ./ci/sealane ci run"' in made[".github/workflows/main.yml"]


def test_a_manual_run_is_for_an_environment_that_there_is():
    manual = Context("github", Event.MANUAL, branch="main", inputs={"environment": "production"})
    assert work_for(manual, CiConfig()) is Work.PIPELINE
    with pytest.raises(ConfigError) as caught:
        work_for(manual, CiConfig(environments=("staging",)))
    assert caught.value.reason == "bad-environment"


def test_the_triggers_are_the_configurations():
    config = parse(None, 'ci.branches = ["trunk"]\nci.base = ["next"]\nci.nightly = "5 4 * * 0"').ci
    for vendor in FILES:
        text = "".join(render(vendor, config).values())
        assert not re.search(r"\bdevelop\b", text)
        assert ("0 2 * * *" in text) is False
    assert '"5 4 * * 0"' in render("azure", config)["ci/vendors/azure/azure-pipelines.yml"]


@pytest.mark.parametrize("value", ["nightly", "0 2 * *", "0 2 * * *; id", "0 2 * * *\\n"])
def test_what_is_no_time_of_cron_is_refused(value: str):
    with pytest.raises(ConfigError):
        parse(None, f'ci.nightly = "{value}"')


def test_a_branch_that_runs_nothing_says_so(tmp_path: Path):
    environ = {**os.environ, "BUILDKITE": "true", "BUILDKITE_BRANCH": "feature/x"}
    done = subprocess.run(
        [sys.executable, "-m", "sealane", "ci", "run"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Nothing runs for a push on feature/x" in done.stdout


def test_the_docs_have_a_row_for_every_vendor():
    page = (Path(__file__).parents[3] / "docs/ci.md").read_text()
    for vendor in VENDORS.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| {vendor.title} |"))
        assert row.count("|") == 7
