"""The vendor's cache: who writes it and who reads it, in the wrappers and in what they call."""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sealane.cli.options import Options
from sealane.cli.vendor_cache import Cache
from sealane.config import CiConfig
from sealane.config.read import parse
from sealane.errors import ConfigError
from sealane.vendors.render import FILES, render
from sealane.vendors.shape import CACHE, CACHE_FOLDER, CACHE_LIMITS, CACHED, Shape
from sealane_engine.transfer.contents import FORMAT

ROOT = Path(__file__).parent.parent.parent.parent
ASKS = {
    "github": ("actions/cache/restore@", "actions/cache/save@"),
    "gitlab": ("policy: $CACHE_POLICY",),
    "circleci": ("restore_cache:", "save_cache:"),
    "azure": ("Cache@2",),
    "bitbucket": ("caches: [sealane-1]",),
    "codebuild": ("fallback-keys:",),
}


def text_of(vendor: str, config: CiConfig, shape: Shape | None = None) -> str:
    return "".join(render(vendor, config, shape).values())


@pytest.mark.parametrize("vendor", FILES)
def test_a_wrapper_asks_for_its_vendors_cache_and_tells_where_it_is(vendor: str):
    text = text_of(vendor, CiConfig())
    assert ("SEALANE_CACHE=.sealane-cache " in text) == (vendor in CACHED)
    assert all(word in text for word in ASKS.get(vendor, ()))


@pytest.mark.parametrize("vendor", CACHED)
@pytest.mark.parametrize(
    ("config", "shape"),
    [(CiConfig(cache=0), Shape()), (CiConfig(), Shape(engine="kubernetes"))],
    ids=["none", "dagger"],
)
def test_there_is_no_cache_where_none_is_wanted_or_the_engine_has_its_own(vendor: str, config: CiConfig, shape: Shape):
    text = text_of(vendor, config, shape)
    assert not any(word in text for word in (*ASKS[vendor], CACHE, CACHE_FOLDER))


def test_the_caches_name_says_the_format_that_an_engine_reads():
    assert f"sealane-{FORMAT}" == CACHE


@pytest.mark.parametrize("shape", [Shape(), Shape(split=True), Shape(matrix=True)], ids=str)
def test_github_saves_for_pushes_to_branches_alone(shape: Shape):
    text = render("github", CiConfig(tags=("v*",)), shape)[".github/workflows/main.yml"]
    saves = re.findall(r"cache/save@.*\n +if: (.*)\n", text)
    assert len(saves) == text.count("actions/cache/restore@")
    for condition in saves:
        assert "github.event_name == 'push' && github.ref_type == 'branch'" in condition
    assert "cache/save" not in render("github", CiConfig(), shape)[".github/workflows/security.yml"]


def test_gitlab_only_pulls_unless_a_branch_was_pushed_to():
    before, _, after = text_of("gitlab", CiConfig(tags=("v*",))).partition("CACHE_POLICY: pull-push")
    assert before.startswith("# Made")
    assert "variables: {CACHE_POLICY: pull}" in before
    assert before.rstrip("{ ").splitlines()[-2].strip() == "- if: $CI_COMMIT_BRANCH =~ /^(main|develop)$/"
    assert "pull-push" not in after


def test_bitbucket_gives_pull_requests_and_tags_no_cache():
    text = text_of("bitbucket", CiConfig(tags=("v*",)))
    assert re.findall(r'"(\S+)": \[\{step: \{<<', text) == ["main", "develop"]


def test_no_branchs_name_on_codebuild_begins_like_anothers_cache():
    text = text_of("codebuild", CiConfig())
    assert '"sealane-1-branch/main:$SEALANE_ONLY:"' in text  # git allows no colon in a name
    assert "$CODEBUILD_WEBHOOK_TRIGGER:" in text


def test_in_the_split_shape_each_job_has_a_cache_of_its_own_and_another_to_begin_with():
    text = text_of("github", CiConfig(), Shape(split=True))
    for job in ("lint", "test", "scan", "build", "image-scan", "sbom"):
        assert f"${{{{ runner.arch }}}}-{job}-${{{{ hashFiles" in text
        assert f'${{{{ runner.arch }}}}-{job}-\\nsealane-1-${{{{ runner.os }}}}-${{{{ runner.arch }}}}-"' in text


@pytest.mark.parametrize("value", ["much", "-1", -1, "1XB", "$(id)"])
def test_a_limit_that_is_no_size_is_an_error(value: str | int):
    with pytest.raises(ConfigError):
        parse(None, f"ci.cache = {json.dumps(value)}")


def test_a_limit_is_written_as_people_write_sizes():
    assert parse(None, 'ci.cache = "1.5GB"').ci.cache == 1_500_000_000


@pytest.fixture
def options(tmp_path: Path) -> Options:
    environ = {"PATH": os.environ["PATH"], "SEALANE_HOME": str(tmp_path / "home"), "SEALANE_CACHE": str(tmp_path / "c")}
    return Options(environ=environ)


@pytest.mark.needs("root")
def test_a_run_takes_what_an_earlier_one_kept(options: Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    cache = Cache(options, "github", 10_000_000)
    cache.take()
    assert (tmp_path / "c").is_dir()
    (tmp_path / "home").mkdir()
    cache.keep()
    cache.take()
    said = capfd.readouterr().out
    assert "Exported 0 results" in said
    assert "Imported 0 results" in said


@pytest.mark.needs("root")
def test_a_broken_cache_is_told_and_gone_and_the_run_goes_on(
    options: Options, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "c").mkdir()
    (tmp_path / "c/index.json").write_text('{"format": 99}')
    Cache(options, "github", 10_000_000).take()
    said = capfd.readouterr()
    assert "has the format 99" in said.out + said.err
    assert not (tmp_path / "c/index.json").exists()


def test_a_cache_that_can_not_be_is_told_and_the_run_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("")
    cache = Cache(Options(environ={"SEALANE_CACHE": str(tmp_path / "file/below")}), "github", 1)
    cache.take()
    cache.keep()
    assert "there can be no cache in" in capfd.readouterr().out


def test_nothing_is_kept_on_a_dagger_engine_or_where_nothing_is_asked_for(tmp_path: Path):
    for options, limit in (
        (Options(environ={}), 1),
        (Options(engine="dagger", environ={"SEALANE_CACHE": str(tmp_path / "c")}), 1),
        (Options(environ={"SEALANE_CACHE": str(tmp_path / "c")}), 0),
    ):
        cache = Cache(options, "github", limit)
        cache.take()
        cache.keep()
    assert list(tmp_path.iterdir()) == []


def test_a_vendors_own_limit_is_never_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Bitbucket drops what is larger, in silence."""
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    Cache(Options(environ={"SEALANE_CACHE": str(tmp_path / "c")}), "bitbucket", 2_000_000_000).keep()
    assert ran == [
        [sys.executable, "-P", "-m", "sealane", "cache", "export", str(tmp_path / "c"), "--limit", "900000000"]
    ]
    assert CACHE_LIMITS["bitbucket"] < 1_000_000_000


def test_what_a_run_writes_into_its_folder_is_no_part_of_its_source():
    """A pattern with a slash before it matches nothing, so that the cache itself would change what is looked at."""
    tree = ast.parse((ROOT / "ci/src/sealane_ci/main.py").read_text())
    (ignored,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "IGNORED"
    )
    assert not [pattern for pattern in ignored if pattern.startswith("/")]
    for name in ("out", CACHE_FOLDER, ".sealane-bin", ".venv-sealane"):
        assert any(fnmatch.fnmatchcase(name, pattern) for pattern in ignored), name
