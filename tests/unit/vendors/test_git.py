"""The context of a laptop: from a real repository, and where there is none."""

import subprocess

import pytest

from sealane.errors import ConfigError
from sealane.vendors import context
from sealane.vendors.model import Context

pytestmark = pytest.mark.needs("git")


def test_commit_branch_and_names(tmp_path):
    def run(*words):
        identity = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        when = {"GIT_COMMITTER_DATE": "1790000000 +0000", "PATH": "/usr/bin:/bin"}
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True, env=identity | when)

    run("init", "--quiet", "--initial-branch", "feature/x")
    run("commit", "--quiet", "--allow-empty", "--message", "one")
    run("remote", "add", "origin", "git@example.org:Owner/app.git")
    found = context.read({"REGISTRY": "ghcr.io", "IMAGE_NAME": "Owner/App"}, tmp_path)
    assert (found.branch, found.committed, found.repository) == ("feature/x", 1790000000, "Owner/app")
    assert len(found.commit) == 40
    assert (found.registry, found.image_name) == ("ghcr.io", "Owner/App")


def test_no_repository_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = context.read({}, tmp_path)
    assert (found.commit, found.branch, found.repository, found.committed) == ("", "", "", 0)


@pytest.mark.parametrize("text", ["{", "[]", '{"event": "party"}', '{"no": 1}'])
def test_a_context_that_can_not_be_read(text):
    with pytest.raises(ConfigError) as error:
        Context.from_json(text)
    assert error.value.reason == "bad-context"
