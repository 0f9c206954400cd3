"""Deployments: which run goes where, that all but the first wait for a person, and that they come after the gates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sealane.cli.main import run
from sealane.config import CiConfig
from sealane.config.read import parse
from sealane.errors import ConfigError
from sealane.vendors.model import Context, Event
from sealane.vendors.render import FILES, render
from sealane.vendors.rules import deploys
from sealane.vendors.shape import WITHOUT_APPROVAL, Shape

CONFIG = CiConfig(command="ci/sealane", deploy="ci/deploy")
# What makes a person decide, and what the first environment's job comes after: the pipeline, or the gates.
ASKS = {
    "github": ("environment: production", "needs: [{}]"),
    "gitlab": ("when: manual", "needs: [{}]"),
    "circleci": ("approve-production: {type: approval", "deploy-staging: {{requires: [{}]"),
    "jenkins": ("input { message 'Deploy to production?' }", ""),
    "azure": ("environment: production", "dependsOn: [{}]"),
    "bitbucket": ("trigger: manual", ""),
    "buildkite": ("block: Deploy to production?", "depends_on: [{}]"),
    "teamcity": ("DEPLOYMENT // a person starts it", ""),
    "argo": ("approve, suspend: {}", ""),
}


def text_of(vendor: str, config: CiConfig, shape: Shape) -> str:
    return "".join(render(vendor, config, shape).values())


@pytest.mark.parametrize("shape", [Shape(), Shape(split=True)], ids=str)
@pytest.mark.parametrize("vendor", FILES)
def test_a_deployment_comes_after_the_gates_and_all_but_the_first_wait_for_a_person(vendor: str, shape: Shape):
    text = text_of(vendor, CONFIG, shape)
    if vendor in WITHOUT_APPROVAL:
        assert "deploy-" not in text
        return
    asks, after = ASKS[vendor]
    assert text.count(asks) == 1
    assert after.format('"gates"' if shape.split else '"pipeline"') in text
    places = [text.index(f"ci run --only deploy-{name}") for name in ("staging", "production")]
    assert places == sorted(places)


@pytest.mark.parametrize("vendor", FILES)
def test_nothing_deploys_unless_a_script_is_named(vendor: str):
    text = text_of(vendor, CiConfig(), Shape(split=True))
    assert not re.search(r"deploy-|approve|\bdeployment\b", text)


def context(event: Event, branch: str, *, fork: bool = False, environment: str = "") -> Context:
    inputs = {"environment": environment} if environment else {}
    return Context("any", event, branch=branch, fork=fork, inputs=inputs)


@pytest.mark.parametrize(
    ("given", "staging", "production"),
    [
        (context(Event.PUSH, "develop"), True, False),
        (context(Event.PUSH, "main"), True, True),
        (context(Event.PUSH, "feature"), False, False),
        (context(Event.PUSH, ""), True, True),
        (context(Event.PULL_REQUEST, "main"), False, False),
        (context(Event.PULL_REQUEST, "main", fork=True), False, False),
        (context(Event.PUSH, "main", fork=True), False, False),
        (context(Event.SCHEDULE, "main"), False, False),
        (context(Event.TAG, ""), False, False),
        (context(Event.MANUAL, "feature", environment="staging"), True, False),
        (context(Event.MANUAL, "feature", environment="production"), False, True),
        (context(Event.MANUAL, "main"), True, True),
        (context(Event.MANUAL, "feature"), False, False),
    ],
)
def test_a_run_goes_where_its_branch_or_a_person_sends_it(given: Context, staging: bool, production: bool):
    assert (deploys(given, CONFIG, "staging"), deploys(given, CONFIG, "production")) == (staging, production)
    assert not deploys(given, CONFIG, "elsewhere")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "CI", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEALANE_EVENT", "push")
    monkeypatch.setenv("SEALANE_BRANCH", "main")
    (tmp_path / "sealane.toml").write_text('ci.deploy = "deploy"\n')
    return tmp_path


def script(project: Path, text: str) -> None:
    (project / "deploy").write_text(text)
    (project / "deploy").chmod(0o755)


def test_the_script_gets_the_environment_and_its_exit_code_is_the_jobs(project: Path):
    script(project, '#!/bin/sh\necho "$1" > went\nexit 7\n')
    assert run(["ci", "run", "--only", "deploy-production"]) == 7
    assert (project / "went").read_text() == "production\n"


def test_what_the_script_prints_is_no_command_to_the_vendor(project: Path, capfd: pytest.CaptureFixture[str]):
    script(project, "#!/bin/sh\necho ::set-output name=x::y\n")
    assert run(["ci", "run", "--only", "deploy-staging"]) == 0
    assert "\n::set-output" not in "\n" + capfd.readouterr().out


def test_a_run_that_is_for_no_environment_deploys_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    script(project, "#!/bin/sh\ntouch went\n")
    monkeypatch.setenv("SEALANE_BRANCH", "develop")
    assert run(["ci", "run", "--only", "deploy-production"]) == 0
    assert "this push is not for production" in capfd.readouterr().out
    assert not (project / "went").exists()


@pytest.mark.parametrize(("name", "said"), [("nowhere", "nothing deploys to 'nowhere'"), ("staging", "can't be run")])
def test_what_can_not_be_deployed_is_said(project: Path, capfd: pytest.CaptureFixture[str], name: str, said: str):
    assert run(["ci", "run", "--only", f"deploy-{name}"]) != 0
    assert said in "".join(capfd.readouterr())


@pytest.mark.parametrize("value", ["deploy; id", "$(id)", "a b", "`id`"])
def test_the_script_is_a_path_and_nothing_else(value: str):
    with pytest.raises(ConfigError):
        parse(None, f'ci.deploy = "{value}"')
