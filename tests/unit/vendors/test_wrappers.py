"""The wrappers: what is generated, what is refused, and that this repository's are as generated."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sealane.cli.main import run
from sealane.config import CiConfig
from sealane.config.read import parse
from sealane.errors import ConfigError, UsageError
from sealane.vendors.model import Context, Event
from sealane.vendors.render import FILES, pins, render, shape_of
from sealane.vendors.rules import Work, work_for
from sealane.vendors.shape import WITHOUT_DOCKER, Shape

ROOT = Path(__file__).parent.parent.parent.parent
ONE_JOB = 40


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_this_repositorys_wrappers_are_as_generated():
    config = parse((ROOT / "pyproject.toml").read_text()).ci
    for vendor in FILES:
        for path, text in render(vendor, config).items():
            assert (ROOT / path).read_text() == text, f"run: sealane ci generate {vendor} --overwrite"


@pytest.mark.parametrize("vendor", FILES)
def test_a_wrapper_has_less_than_40_lines(vendor: str):
    for text in render(vendor, CiConfig()).values():
        assert len(text.splitlines()) < ONE_JOB


def test_a_wrapper_that_nobody_changed_passes_the_check(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["ci", "generate", "github"]) == 0
    assert run(["ci", "check"]) == 0
    assert "2 wrappers are as generated" in capsys.readouterr().out


def test_a_change_by_hand_is_shown_and_not_lost(project: Path, capsys: pytest.CaptureFixture[str]):
    run(["ci", "generate", "buildkite"])
    file = project / "ci/vendors/buildkite/pipeline.yml"
    mine = file.read_text() + "# mine\n"
    file.write_text(mine)
    assert run(["ci", "check"]) == 1
    assert run(["ci", "generate", "buildkite"]) == 1
    assert "-# mine" in capsys.readouterr().out
    assert file.read_text() == mine
    assert run(["ci", "generate", "buildkite", "--overwrite"]) == 0
    assert "mine" not in file.read_text()


def test_an_unknown_vendor_is_an_error_that_names_the_known():
    with pytest.raises(UsageError) as caught:
        render("travis", CiConfig())
    assert caught.value.reason == "unknown-vendor"
    assert "github" in str(caught.value)


def test_each_action_is_pinned_by_a_commit_whose_source_is_named():
    for pin in pins().values():
        assert pin["source"]
        assert pin["read"]
        assert "commit" not in pin or re.fullmatch("[0-9a-f]{40}", pin["commit"])


HOSTILE = ["main; id", "$(id)", "${{ github.token }}", 'x"]\nrun: id', "a b", "`id`"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["branches", "base"])
def test_a_branch_of_the_configuration_can_carry_no_command(key: str, value: str):
    with pytest.raises(ConfigError):
        parse(None, f"ci.{key} = [{_toml(value)}]")


@pytest.mark.parametrize("value", HOSTILE)
def test_the_command_is_a_path_and_nothing_else(value: str):
    with pytest.raises(ConfigError):
        parse(None, f"ci.command = {_toml(value)}")


def _toml(value: str) -> str:
    import json

    return json.dumps(value)


HOSTILE_RUN = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_REPOSITORY": "o/n",
    "GITHUB_ACTOR": "$(touch ran)\n::set-output name=x::y",
}


@pytest.mark.parametrize("branch", ["x$(touch${IFS}ran)", "x;touch${IFS}ran", "x`touch${IFS}ran`", "x'\"&&touch"])
def test_what_comes_from_outside_is_one_argument(branch: str, project: Path):
    from sealane.cli.vendor_run import calls
    from sealane.vendors.context import read

    context = read({**HOSTILE_RUN, "GITHUB_REF_NAME": branch, "GITHUB_EVENT_NAME": "push"}, project)
    (words,) = calls(context, ".", Work.PIPELINE)
    assert [word.partition("=")[0] for word in words] == ["--source", "--context", "pipeline", "--output"]
    assert list(project.iterdir()) == []


def test_the_nightly_run_adds_the_tests_that_take_long_and_each_report_comes_before_its_verdict():
    from sealane.cli.vendor_run import calls

    asked = [
        [word for word in words if "context" not in word]
        for words in calls(Context("any", Event.SCHEDULE), ".", Work.SECURITY)
    ]
    security = ["--source=.", "security", "--base=", "--path=."]
    tests = ["--source=.", "test", "--categories=e2e,performance"]
    assert asked == [
        [*security, "report", "--output=out"],
        [*security, "assert"],
        [*tests, "report", "--output=out/nightly-tests"],
        [*tests, "assert"],
    ]


TOKEN = {"CODECOV_TOKEN": "secret"}
PUSHED = Context("gitlab", Event.PUSH, branch="main", commit="1f0e3dad", repository="o/n")


def test_codecov_gets_the_coverage_where_its_token_is_handed_over_and_the_token_is_in_no_argument():
    from sealane.cli.vendor_run import uploads

    (words,) = uploads(PUSHED, ".", Work.PIPELINE, TOKEN)
    assert words[2:] == [
        "codecov", "--token=env://CODECOV_TOKEN", "--slug=o/n", "--commit=1f0e3dad", "--branch=main", "--service=gitlab",
    ]  # fmt: skip
    assert uploads(PUSHED, ".", "test", TOKEN)
    for context, work, environ in (
        (PUSHED, Work.PIPELINE, {}),
        (PUSHED, "lint", TOKEN),
        (PUSHED, Work.SECURITY, TOKEN),
        (replace(PUSHED, fork=True), Work.PIPELINE, TOKEN),
        (replace(PUSHED, repository=""), Work.PIPELINE, TOKEN),
    ):
        assert uploads(context, ".", work, environ) == []


SHAPES = [Shape(), Shape(split=True), Shape(engine="kubernetes"), Shape(split=True, engine="kubernetes")]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("vendor", FILES)
def test_no_wrapper_puts_an_expression_into_a_shell_line(vendor: str, shape: Shape):
    for text in render(vendor, CiConfig(command="ci/sealane"), shape).values():
        lines = [line for line in text.splitlines() if "ci/sealane" in line]
        assert lines
        assert not any("${" in line or "$(" in line or "<<" in line or "%" in line for line in lines)
        assert "pull_request_target" not in text


@pytest.mark.parametrize("vendor", FILES)
def test_the_split_shape_has_a_job_per_stage_after_what_it_needs(vendor: str):
    text = "".join(render(vendor, CiConfig(command="ci/sealane"), Shape(split=True)).values())
    names = ["lint", "test", "scan", "build", "image-scan", "sbom"]
    told = [re.search(rf"--only {name}\b|SEALANE_ONLY: {name}\b", text) for name in names]
    assert all(told)
    assert [match.start() for match in told if match] == sorted(match.start() for match in told if match)
    if vendor == "gitlab":
        assert 'needs: ["lint", "test", "scan"]' in text


@pytest.mark.parametrize("vendor", FILES)
@pytest.mark.parametrize("shape", [*SHAPES, Shape(split=True, engine="docker"), Shape(matrix=True)], ids=str)
def test_a_wrapper_says_in_which_shape_it_was_made(vendor: str, shape: Shape):
    if (shape.matrix and vendor != "github") or (shape.engine == "docker" and vendor in WITHOUT_DOCKER):
        with pytest.raises(UsageError) as caught:
            render(vendor, CiConfig(), shape)
        assert caught.value.reason == "no-such-shape"
    else:
        assert {shape_of(text) for text in render(vendor, CiConfig(), shape).values()} == {shape}


def test_the_check_holds_a_wrapper_to_the_shape_it_was_made_in(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["ci", "generate", "gitlab", "--split", "--engine", "kubernetes"]) == 0
    assert run(["ci", "check"]) == 0
    assert "_EXPERIMENTAL_DAGGER_RUNNER_HOST=tcp://" in (project / "ci/vendors/gitlab/.gitlab-ci.yml").read_text()


def test_what_has_no_linux_is_told_as_not_run():
    text = render("github", CiConfig(), Shape(matrix=True))[".github/workflows/main.yml"]
    assert '["ubuntu-24.04", "macos-15", "windows-2025"]' in text
    assert "Not run: the embedded engine needs Linux" in text


def test_an_engine_of_wrappers_is_none_to_call(project: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["functions", "--engine", "kubernetes"]) != 0
    assert "unknown engine" in capsys.readouterr().err


TAGGED = {
    "github": 'tags: ["v*", "r/1.*"]',
    "gitlab": r"$CI_COMMIT_TAG =~ /^(v.*|r\/1\..*)$/",
    "azure": 'tags: {include: ["v*", "r/1.*"]}',
    "bitbucket": '"r/1.*": [{step: *pipeline}]',
    "woodpecker": 'ref: "refs/tags/r/1.*"',
    "circleci": r'filters: {tags: {only: "/^(v.*|r\\/1\\..*)$/"}}',
    "teamcity": r"+:tags/v*\n+:tags/r/1.*\n",
}


@pytest.mark.parametrize("vendor", TAGGED)
def test_a_wrapper_runs_for_tags_where_they_are_asked_for_and_for_none_else(vendor: str):
    assert TAGGED[vendor] in "".join(render(vendor, CiConfig(tags=("v*", "r/1.*"))).values())
    assert TAGGED[vendor] not in "".join(render(vendor, CiConfig()).values())


@pytest.mark.parametrize("vendor", ["tekton", "argo"])
def test_what_starts_a_run_in_the_cluster_can_say_a_tag(vendor: str):
    text = "".join(render(vendor, CiConfig()).values())
    assert "{name: tag, " in text
    assert "{name: SEALANE_TAG, value: " in text


@pytest.mark.parametrize("value", [*HOSTILE, "v(1|2)", "v[0-9]"])
def test_a_pattern_of_tags_can_carry_no_command_and_no_expression(value: str):
    with pytest.raises(ConfigError):
        parse(None, f"ci.tags = [{_toml(value)}]")


@pytest.mark.parametrize(("tag", "runs"), [("v1.2", True), ("r/1.3", True), ("xv1", False), ("V1", False)])
def test_a_tag_that_is_none_of_those_asked_for_runs_nothing(tag: str, runs: bool):
    context = Context("any", Event.TAG, tag=tag)
    assert (work_for(context, CiConfig(tags=("v*", "r/1.*"))) is Work.PIPELINE) is runs
    assert work_for(context, CiConfig()) is Work.PIPELINE
