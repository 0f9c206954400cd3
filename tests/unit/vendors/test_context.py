"""The context that each vendor's environment gives; see tests/golden/vendors."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealane.errors import ConfigError
from sealane.vendors.context import Context, Event, read
from sealane.vendors.table import VENDORS

GOLDEN = Path(__file__).parent.parent.parent / "golden/vendors"
FILES = {path.stem: tomllib.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.toml"))}
CASES = [
    pytest.param(file, case, id=f"{name}: {case['name']}") for name, file in FILES.items() for case in file["case"]
]


@pytest.mark.parametrize(("file", "case"), CASES)
def test_the_vendors_environment_is_understood(file: dict[str, Any], case: dict[str, Any], tmp_path: Path):
    environ = {**file["environ"], **case["environ"]}
    if "payload" in case:
        event = tmp_path / "event.json"
        event.write_text(case["payload"]["json"])
        environ["GITHUB_EVENT_PATH"] = str(event)
    said = read(environ, tmp_path).as_json()
    expected = {**file["expected"], **case["expected"]}
    assert {name: said[name] for name in expected} == expected


def test_there_are_cases_of_every_vendor_and_event():
    assert set(FILES) == set(VENDORS)
    assert len(CASES) >= 60
    for name, file in FILES.items():
        assert {case["expected"]["event"] for case in file["case"]} == set(Event), name


def test_git_tells_what_a_laptop_has(tmp_path: Path):
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    git("init", "-q", "-b", "feature/x")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.com")
    git("config", "remote.origin.url", "git@example.com:sutazai/app.git")
    git("commit", "-q", "--allow-empty", "-m", "Begin\n\nWith care.")
    context = read({}, tmp_path)
    assert (context.vendor, context.event, context.branch) == ("local", Event.MANUAL, "feature/x")
    assert (context.message, context.actor, context.repository) == ("Begin\n\nWith care.", "Ada", "sutazai/app")
    assert len(context.commit) == 40


def test_a_folder_that_is_no_repository_has_a_context_too(tmp_path: Path):
    assert replace(read({}, tmp_path), actor="") == Context("local", Event.MANUAL)


BAD_REFS = [
    "a b",
    "-x",
    "a\nb",
    "a..b",
    "x\x1b[2K",
    "a~1",
    ".a",
    "a/.b",
    "a.lock",
    "@",
    "a@{1}",
    "a:b",
    "/a",
    "a/",
    "a\\b",
]


@pytest.mark.parametrize("name", BAD_REFS)
@pytest.mark.parametrize("variable", ["SEALANE_BRANCH", "SEALANE_TAG", "SEALANE_BASE"])
def test_a_name_that_git_would_refuse_is_refused(variable: str, name: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        read({variable: name}, tmp_path)
    assert caught.value.reason == "bad-ref"


@pytest.mark.parametrize("name", ["$(id)", "a;b", "a`id`", "a'b\"c", "${{x}}", "::set-output", "main&&x", "#1", "ünï"])
def test_a_name_that_git_allows_stays_as_it_is(name: str, tmp_path: Path):
    named = "f/" + name.replace(":", "")
    assert read({"SEALANE_BRANCH": named}, tmp_path).branch == named


@pytest.mark.parametrize("commit", ["HEAD", "--upload-pack=x", "1f0e3d; id", "g" * 40])
def test_a_commit_that_is_none_is_refused(commit: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        read({"SEALANE_COMMIT": commit}, tmp_path)
    assert caught.value.reason == "bad-commit"


def test_an_unknown_event_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        read({"SEALANE_EVENT": "birthday"}, tmp_path)
    assert caught.value.reason == "bad-event"


def test_an_event_file_that_is_no_json_leaves_the_environment(tmp_path: Path):
    (tmp_path / "event.json").write_text("{")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_HEAD_REF": "x"}
    context = read({**environ, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}, tmp_path)
    assert (context.event, context.branch, context.fork) == (Event.PULL_REQUEST, "x", True)
