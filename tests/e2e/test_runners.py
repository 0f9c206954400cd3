"""Each wrapper's command where its vendor would run it: on a machine of its own, and in a container as Docker makes them.

The project is hostile all over: names of files, what tests print and say, and what the vendor tells of the change. On
the machine the report and the exit code must be right, nothing of that may run, and nothing may reach the vendor as a
command. In the container the engine refuses, and says what to ask for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from sealane.config import CiConfig
from sealane.vendors.render import FILES, render
from sealane.vendors.shape import CACHE_FOLDER, CACHED

from .runc_bundle import bundle

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests/golden/vendors"
pytestmark = pytest.mark.needs("root", "network")

SHELL = "$(touch ran)`touch ran`;touch ran;'\"${{ github.token }}{{x}}%x%<<y>>"
PAYLOADS = [
    "::set-output name=x::FORGED", "::add-mask::FORGED", "::stop-commands::FORGED", "::error::FORGED",
    "##vso[task.setvariable variable=x]FORGED", "##vso[task.complete result=Succeeded;]FORGED", "##[error]FORGED",
    "##teamcity[buildStatus status='SUCCESS' text='FORGED']", "\x1b[0Ksection_start:1:x\r\x1b[0KFORGED",
    "--- FORGED", "+++ FORGED", "~~~ FORGED", "^^^ +++ FORGED", "\x1b]8;;x\x07FORGED", "a\r::error::FORGED", SHELL,
]  # fmt: skip
# What a line may look like in which a vendor finds a command: what we say ourselves.
OURS = {
    "github": r"::(group::pipeline$|endgroup::$|error file=|error title=|warning |notice )",
    "azure": r"##(\[group\]pipeline$|\[endgroup\]$|vso\[task\.(logissue type=(error|warning);|uploadsummary\]/))",
    "teamcity": r"##teamcity\[(blockOpened name='pipeline'|blockClosed name='pipeline'|importData type='junit' )",
    "gitlab": r"\x1b\[0Ksection_(start|end):\d+:pipeline",
    "buildkite": r"(--- pipeline|\+\+\+ pipeline: result)$",
}
COMMAND = re.compile(
    r"^\s*::|##(vso|teamcity)?\[|section_(start|end):|^\s*(---|\+\+\+|~~~|\^\^\^)|[\x00-\x08\x0b-\x1f\x7f]"
)
# What each vendor takes from whoever makes a change. Names of branches that git refuses are refused (unit tests).
BRANCH = "x;touch${IFS}ran;$(touch${IFS}ran)"
CHANGE = {
    "github": {
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_HEAD_REF": BRANCH,
        "GITHUB_BASE_REF": "main",
        "GITHUB_ACTOR": SHELL,
    },
    "gitlab": {"CI_COMMIT_MESSAGE": "\n".join(PAYLOADS), "GITLAB_USER_LOGIN": SHELL},
    "azure": {"BUILD_SOURCEVERSIONMESSAGE": "\n".join(PAYLOADS[:12]), "BUILD_REQUESTEDFOR": SHELL},
    "buildkite": {"BUILDKITE_MESSAGE": "\n".join(PAYLOADS), "BUILDKITE_BUILD_CREATOR": SHELL},
    "woodpecker": {"CI_COMMIT_MESSAGE": "\n".join(PAYLOADS), "CI_COMMIT_AUTHOR": SHELL},
    "jenkins": {"CHANGE_TITLE": SHELL, "CHANGE_AUTHOR": SHELL},
    "circleci": {"CIRCLE_USERNAME": SHELL},
    "codebuild": {"CODEBUILD_INITIATOR": SHELL},
    "bitbucket": {"BITBUCKET_STEP_TRIGGERER_UUID": SHELL},
    "teamcity": {"SEALANE_ACTOR": SHELL},
    "tekton": {"SEALANE_ACTOR": SHELL, "SEALANE_MESSAGE": SHELL},
    "argo": {"SEALANE_ACTOR": SHELL, "SEALANE_MESSAGE": SHELL},
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Path:
    """A project with one failing test, in a file whose name is a command; `ci/sealane` calls this environment's."""
    place = tmp_path_factory.mktemp("hostile") / "project"
    (place / "tests/unit").mkdir(parents=True)
    (place / "ci").mkdir()
    (place / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\n[tool.sealane]\nstages = ["test"]\n[tool.sealane.ci]\ncommand = "ci/sealane"\ncache = "1MB"\n'
    )
    (place / "ci/sealane").write_text(f'#!/bin/sh\nexec {shutil.which("sealane", path=environ["PATH"])} "$@"\n')
    (place / "ci/sealane").chmod(0o755)
    (place / "out").mkdir()
    (place / CACHE_FOLDER).mkdir()
    (place / CACHE_FOLDER / "index.json").write_text('{"format": 99}')  # a broken cache fails no run
    (place / "out/run.json").write_text('{"passed": true, "note": "an earlier run\'s, or forged"}')
    (place / "mod.py").write_text("x = 1\n")
    name = "test_$(touch ran);`touch ran`.py"
    (place / "tests/unit" / name).write_text(
        f"PAYLOADS = {PAYLOADS!r}\n\ndef test_x():\n    import mod\n    for each in PAYLOADS:\n        print(each)\n"
        "    assert mod.x == 2, ' '.join(PAYLOADS)\n"
    )
    subprocess.run(["git", "init", "-q", "-b", "main", str(place)], check=True)
    identity = {
        "GIT_AUTHOR_NAME": SHELL,
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    for words in (["add", "-A"], ["commit", "-q", "-m", "\n".join(PAYLOADS[:8])]):
        subprocess.run(["git", "-C", str(place), *words], check=True, env={**os.environ, **identity})
    return place


def vendors_environ(vendor: str) -> dict[str, str]:
    """What the vendor sets for a push to main."""
    file = tomllib.loads((GOLDEN / f"{vendor}.toml").read_text())
    pushes = (c for c in file["case"] if c["expected"]["event"] == "push" and "payload" not in c)
    case = next(pushes, {"environ": {}})
    told = {**file["environ"], **case["environ"], **CHANGE[vendor]}
    return {name: value for name, value in told.items() if not re.fullmatch(r"SEALANE_COMMIT|.*_SHA1?|.*COMMIT", name)}


def command_of(vendor: str) -> str:
    """What the wrapper runs."""
    text = next(iter(render(vendor, CiConfig(command="ci/sealane")).values()))
    found = re.findall(r"(?:SEALANE_CACHE=\S+ )?\./ci/sealane ci run(?= *[\"'\n\\])", text)
    assert found
    return str(found[0])


@pytest.mark.parametrize("vendor", FILES)
def test_on_a_machine_the_verdict_is_right_and_nothing_is_forged(
    vendor: str, hostile: Path, environ: dict[str, str], tmp_path: Path
):
    place = shutil.copytree(hostile, tmp_path / "project")
    summary = tmp_path / "summary"
    own = {name: environ[name] for name in ("PATH", "SEALANE_HOME")}
    told = {**own, "HOME": "/root", "GITHUB_STEP_SUMMARY": str(summary), **vendors_environ(vendor)}
    machine = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--uts", "--ipc"]
    done = subprocess.run(
        [*machine, "sh", "-ec", command_of(vendor)], cwd=place, env=told, capture_output=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output = (done.stdout + done.stderr).decode()
    report = json.loads((place / "out/run.json").read_text())
    assert (done.returncode, report["passed"]) == (1, False), output
    assert report["stages"][0]["tests"][0]["outcome"] == "failed"
    assert not list(tmp_path.rglob("ran"))
    assert "FORGED" in output  # it was printed, and
    for line in output.split("\n"):
        if COMMAND.search(line):
            assert vendor in OURS, line
            assert re.match(OURS[vendor], line), line
    assert summary.exists() == (vendor == "github")
    assert (place / "out/gl-sast-report.json").exists() == (vendor == "gitlab")
    assert ("has the format 99" in output) == (vendor in CACHED)
    pushed = CHANGE[vendor].get("GITHUB_EVENT_NAME") is None  # a pull request may only read the cache
    assert (place / CACHE_FOLDER / "index.json").exists() == (vendor not in CACHED or pushed)


def test_jobs_of_stages_leave_what_the_gates_are_judged_by(hostile: Path, environ: dict[str, str], tmp_path: Path):
    """As Jenkins runs them: in one folder, each though an earlier one failed."""
    place = shutil.copytree(hostile, tmp_path / "project")
    told = {**environ, "HOME": "/root", **vendors_environ("jenkins")}
    codes = {}
    for stage in ("test", "build", "gates"):
        words = ["sh", "-ec", f"ci/sealane ci run --only {stage}"]
        done = subprocess.run(words, cwd=place, env=told, capture_output=True, text=True, check=False)
        codes[stage] = done.returncode, done.stdout
    assert [code for code, _ in codes.values()] == [1, 0, 1], codes
    assert "Nothing to do here: test did not pass." in codes["build"][1]
    assert "test passes" in codes["gates"][1]
    report = json.loads((place / "out/run.json").read_text())
    assert (report["whole"], report["passed"]) == (True, False)
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.needs("runc")
@pytest.mark.parametrize("filtered", [True, False], ids=["Docker's filter", "no filter"])
def test_in_a_container_the_engine_refuses_and_says_what_to_ask_for(
    filtered: bool, hostile: Path, environ: dict[str, str], tmp_path: Path
):
    told = {
        "PATH": environ["PATH"],
        "HOME": "/root",
        "SEALANE_HOME": str(tmp_path / "store"),
        **vendors_environ("gitlab"),
    }
    bundle(tmp_path / "bundle", ["sh", "-ec", command_of("gitlab")], told, hostile, filtered=filtered)
    runc = shutil.which("runc", path=f"{environ['PATH']}:/usr/sbin:/sbin")
    words = [
        str(runc),
        "--root",
        str(tmp_path / "state"),
        "run",
        "--bundle",
        str(tmp_path / "bundle"),
        f"sealane-{os.getpid()}",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stdout + done.stderr
    said = "user namespaces: unshare: Operation not permitted" if filtered else "proc: mount: Operation not permitted"
    assert f"steps can't run here: {said}" in done.stdout
    assert not (hostile / "out/run.json").exists()
    for word in ("seccomp=unconfined", "systempaths=unconfined", "procMount Unmasked", "--engine docker"):
        assert word in done.stdout
