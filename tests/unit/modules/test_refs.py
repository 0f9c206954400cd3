"""References to modules: what is a path, where a repository ends and a folder begins, which tag a version means."""

from __future__ import annotations

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.refs import GitModuleRef, looks_remote, parse, tag_of


@pytest.mark.parametrize(
    ("ref", "remote"),
    [
        (".", False),
        ("..", False),
        ("./github.com/a/b", False),
        ("/srv/github.com/a/b", False),
        ("ci", False),
        ("ci/lint", False),
        ("github.com/acme/ci", True),
        ("git.example.org/acme/ci@main", True),
        ("https://example.org/acme/ci", True),
        ("git@example.org:acme/ci", True),
        ("ssh://git@example.org/acme/ci", True),
    ],
)
def test_a_reference_is_a_path_or_begins_with_a_host(ref, remote):
    assert looks_remote(ref) is remote


@pytest.mark.parametrize(
    ("ref", "parsed"),
    [
        ("github.com/acme/ci", GitModuleRef("https://github.com/acme/ci")),
        ("github.com/acme/ci/lint@v1.2.0", GitModuleRef("https://github.com/acme/ci", "lint", "v1.2.0")),
        ("https://example.org/a/b/c.git/d/e@main", GitModuleRef("https://example.org/a/b/c.git", "d/e", "main")),
        ("http://127.0.0.1:80/ci.git", GitModuleRef("http://127.0.0.1:80/ci.git")),
        ("git@example.org:acme/ci/x@v1", GitModuleRef("git@example.org:acme/ci", "x", "v1")),
        ("ssh://git@example.org/acme/ci.git/x", GitModuleRef("ssh://git@example.org/acme/ci.git", "x")),
    ],
)
def test_a_repository_ends_behind_its_name(ref, parsed):
    assert parse(ref) == parsed


@pytest.mark.parametrize("ref", ["github.com/acme", "https://example.org/", "github.com/acme/../ci"])
def test_a_reference_without_a_repository_is_refused(ref):
    with pytest.raises(InvalidInput) as caught:
        parse(ref)
    assert caught.value.reason == "module-ref"


def test_a_module_in_a_folder_may_have_tags_of_its_own():
    tags = ["v1.0.0", "v1.2.0", "lint/v1.2.0"]
    assert tag_of("v1.2.0", "lint", tags) == "lint/v1.2.0"
    assert tag_of("v1.0.0", "lint", tags) == "v1.0.0"
    assert tag_of("v1.2.0", ".", tags) == "v1.2.0"
    assert tag_of("main", ".", tags) == ""
    assert tag_of("v9.9.9", ".", tags) == ""
