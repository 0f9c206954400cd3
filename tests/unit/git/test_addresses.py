"""Addresses of repositories, and which reference a name means."""

from __future__ import annotations

import pytest

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.git.command import Login, remote_environment
from sealane_engine.git.refs import Refs
from sealane_engine.git.url import candidates, parse

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


@pytest.mark.parametrize(
    ("text", "scheme", "url", "ref", "subdir"),
    [
        ("https://h/a/b", "https", "https://h/a/b", "", ""),
        ("https://h:8443/a.git#main:sub/dir", "https", "https://h:8443/a.git", "main", "sub/dir"),
        ("https://me:secret@h/a", "https", "https://me@h/a", "", ""),
        ("ssh://h/a", "ssh", "ssh://git@h/a", "", ""),
        ("ssh://u@h:22/a#v1", "ssh", "ssh://u@h:22/a", "v1", ""),
        ("git@h:a/b.git#:sub", "ssh", "git@h:a/b.git", "", "sub"),
        ("git://[::1]:9418/a", "git", "git://[::1]:9418/a", "", ""),
        ("file:///srv/a", "file", "file:///srv/a", "", ""),
    ],
)
def test_an_address(text, scheme, url, ref, subdir):
    found = parse(text)
    assert (found.scheme, found.url, found.ref, found.subdir) == (scheme, url, ref, subdir)


@pytest.mark.parametrize(
    "text",
    ["", "-x", "--upload-pack=x", "ext::sh", "https://", "https://-o/x", "ssh://-oProxyCommand=x/y",
     "https://h/a b", "https://h/a\nb", "fd::1", "ftp://h/x", "https://h:99999/x", "name"],
)  # fmt: skip
def test_no_address(text):
    with pytest.raises(InvalidInput) as caught:
        candidates(text)
    assert caught.value.reason == "git-url"


def test_a_password_is_not_shown():
    with pytest.raises(InvalidInput) as caught:
        parse("ftp://me:secret@h/x")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(parse("https://me:secret@h/x"))


def test_without_a_scheme_https_comes_before_ssh():
    assert [each.url for each in candidates("example.org/a/b#x")] == [
        "https://example.org/a/b", "ssh://git@example.org/a/b",
    ]  # fmt: skip


def test_a_login_is_for_its_site_alone():
    environment = remote_environment(parse("https://h:8443/a"), Login(token="t"))
    keys = [value for name, value in environment.items() if name.startswith("GIT_CONFIG_KEY")]
    assert "http.https://h:8443/.extraHeader" in keys
    assert "protocol.https.allow" in keys
    with pytest.raises(InvalidInput):
        remote_environment(parse("https://h/a"), Login(header="a\nHost: b"))


def refs(**entries: str) -> Refs:
    return Refs(tuple((name.replace("__", "/"), value) for name, value in entries.items()))


def test_a_listing_is_read():
    found = Refs.parse(
        f"ref: refs/heads/main\tHEAD\n{ONE}\tHEAD\n{ONE}\trefs/heads/main\n{TWO}\trefs/tags/v1\n{THREE}\trefs/tags/v1^{{}}\nx\n"
    )
    assert found.lookup("HEAD").name == "refs/heads/main"
    assert found.lookup("v1").commit == THREE
    assert found.lookup("refs/tags/v1").commit == THREE
    assert found.tags() == ["v1"]


def test_a_branch_comes_before_a_tag():
    found = refs(refs__heads__x=ONE, refs__tags__x=TWO)
    assert found.lookup("x").name == "refs/heads/x"
    assert found.lookup("tags/x").name == "refs/tags/x"
    assert found.lookup(THREE).commit == THREE
    with pytest.raises(NotFound):
        found.lookup("y")


@pytest.mark.parametrize(
    ("tags", "latest"),
    [
        (["v1.2.3", "v1.10.0", "v1.9.9"], "v1.10.0"),
        (["v1.0.0", "v1.0.0-rc.2", "v1.0.0-rc.10"], "v1.0.0"),
        (["v1.0.0-rc.2", "v1.0.0-rc.10", "v1.0.0-alpha"], "v1.0.0-rc.10"),
        (["v2", "v1.9", "nightly", "1.0.0", "v01.0.0", "v3.0.0-01"], "v2"),
    ],
)
def test_the_latest_version(tags, latest):
    assert Refs(tuple((f"refs/tags/{tag}", ONE) for tag in tags)).latest_version() == latest


def test_patterns_are_the_last_parts_of_a_name():
    found = refs(refs__tags__v1=ONE, refs__tags__sub__v1=ONE, refs__tags__w1=ONE)
    assert found.tags(["v*"]) == ["v1", "sub/v1"]
    assert found.tags(["refs/tags/w*"]) == ["w1"]
