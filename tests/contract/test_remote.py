"""Git repositories and files of servers on the loopback, by the unmodified client: answers as Dagger gives them."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import anyio
import dagger
import pytest

from .conftest import Client, session
from .registry import free_port, until_listening
from .servers import Repository, Web, commit, git, make_repository

pytestmark = [pytest.mark.needs("root", "git"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Served by git's own daemon."""
    base = tmp_path_factory.mktemp("git")
    made = make_repository(base / "repo")
    port = free_port()
    command = ["git", "daemon", "--export-all", f"--base-path={base}", "--listen=127.0.0.1", f"--port={port}"]
    daemon = subprocess.Popen(
        [*command, "--reuseaddr", str(base)], stderr=subprocess.DEVNULL, start_new_session=True, env=os.environ
    )
    try:
        until_listening(port, daemon)
        made.url = f"git://127.0.0.1:{port}/repo"
        yield made
    finally:
        os.killpg(daemon.pid, 15)
        daemon.wait(10)


@pytest.fixture
def web(repository: Repository) -> Iterator[Web]:
    made = Web(repository.work.parent)
    yield made
    made.close()


@pytest.fixture(scope="module")
def environ(shared_home: Path) -> Iterator[dict[str, str]]:
    with session(shared_home, {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}) as found:
        yield found


# ---- git


def test_a_remote_repository_is_asked_for_its_references(client: Client, repository: Repository):
    async def work(dag: dagger.Client) -> object:
        repo = dag.git(repository.url)
        return {
            "url": await repo.url(),
            "head": [await repo.head().ref(), await repo.head().commit()],
            "branches": sorted(await repo.branches()),
            "tags": sorted(await repo.tags()),
            "some": await repo.tags(patterns=["v1.9*"]),
            "tag": [await repo.tag("v1.9.0").ref(), await repo.tag("v1.9.0").commit()],
            "latest": await repo.latest_version().ref(),
            "commit": await repo.commit(repository.commits["one"]).ref(),
        }

    commits = repository.commits
    assert client(work) == {
        "url": repository.url,
        "head": ["refs/heads/main", commits["two"]],
        "branches": ["main", "side"],
        "tags": ["v1.0.0", "v1.10.0-rc.1", "v1.9.0"],
        "some": ["v1.9.0"],
        "tag": ["refs/tags/v1.9.0", commits["two"]],
        "latest": "refs/tags/v1.10.0-rc.1",
        "commit": commits["one"],
    }


def test_the_tree_of_a_branch_a_tag_and_a_commit(client: Client, repository: Repository):
    async def work(dag: dagger.Client) -> object:
        repo = dag.git(repository.url)
        found = [
            repo.head().tree(),
            repo.branch("side").tree(discard_git_dir=True),
            repo.tag("v1.0.0").tree(),
            repo.commit(repository.commits["one"]).tree(discard_git_dir=True),
            dag.git(repository.url, keep_git_dir=False).head().tree(),
        ]
        return [await each.entries() for each in found], await found[0].file("sub/file").contents()

    assert client(work) == (
        [[".git/", "file", "sub/"], ["file", "side"], [".git/", "file"], ["file"], ["file", "sub/"]],
        "two",
    )


def test_history_is_as_deep_as_asked(client: Client, repository: Repository, tmp_path: Path):
    async def work(dag: dagger.Client) -> object:
        for depth in (1, 2):
            tree = dag.git(repository.url).head().tree(depth=depth, include_tags=depth == 2)
            await tree.export(str(tmp_path / str(depth)))

    client(work)
    for depth in (1, 2):
        clone = tmp_path / str(depth)
        assert git(clone, "-c", "safe.directory=*", "rev-list", "--count", "HEAD") == str(depth)
        assert git(clone, "status", "--porcelain") == ""
        assert git(clone, "symbolic-ref", "HEAD") == "refs/heads/main"
        assert git(clone, "remote", "get-url", "origin") == repository.url
    assert git(tmp_path / "2", "tag").split() == ["v1.0.0", "v1.10.0-rc.1", "v1.9.0"]
    assert git(tmp_path / "1", "tag") == ""


def test_the_same_commit_is_the_same_directory_whatever_was_fetched_before(
    repository: Repository, tmp_path: Path, shared_home: Path
):
    """The digest of a checkout with `.git`, from a fresh store and from a mirror that has all branches."""

    async def work(warm: bool) -> str:
        async with dagger.Connection() as dag:
            if warm:
                await dag.git(repository.url).branch("side").common_ancestor(dag.git(repository.url).head()).commit()
            return await dag.git(repository.url).head().tree().digest()

    digests = []
    for number in (0, 1):
        home = shared_home / f"git-{os.getpid()}-{number}"
        home.mkdir(mode=0o711)
        with session(home, dict(os.environ)) as environ, pytest.MonkeyPatch.context() as patch:
            for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
                patch.setenv(name, environ[name])
            digests.append(anyio.run(work, bool(number)))
        subprocess.run(["rm", "-rf", str(home)], check=True)
    assert digests[0] == digests[1]


def test_the_common_ancestor_of_two_branches(client: Client, repository: Repository):
    async def work(dag: dagger.Client) -> object:
        repo = dag.git(repository.url)
        local = dag.host().directory(str(repository.work)).as_git()
        return [
            await repo.branch("side").common_ancestor(repo.head()).commit(),
            await repo.branch("side").common_ancestor(local.branch("main")).commit(),
        ]

    assert client(work) == [repository.commits["one"]] * 2


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda repo: repo.branch("nope").commit(), "repository does not contain ref"),
        (lambda repo: repo.ref("nope").commit(), "repository does not contain ref"),
        (lambda repo: repo.commit("abc").commit(), "invalid commit SHA"),
        (lambda repo: repo.commit("0" * 40).tree().entries(), "git fetch"),
    ],
)
def test_what_is_not_there_is_an_error(client: Client, repository: Repository, ask, says: str):
    with pytest.raises(dagger.QueryError, match=says):
        client(lambda dag: ask(dag.git(repository.url)))


def test_submodules_are_checked_out_and_theirs(client: Client, repository: Repository):
    inner = repository.work.parent / "inner"
    inner.mkdir()
    git(inner, "init", "-q", "-b", "main")
    commit(inner, "deep", "deep")
    middle = repository.work.parent / "middle"
    middle.mkdir()
    git(middle, "init", "-q", "-b", "main")
    git(middle, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "below")
    git(middle, "config", "-f", ".gitmodules", "submodule.below.url", "../inner")
    commit(middle, "own", "own")
    top = repository.work.parent / "top"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(middle), "sub/middle")
    git(top, "config", "-f", ".gitmodules", "submodule.sub/middle.url", "../middle")
    commit(top, "file", "top")
    url = repository.url.removesuffix("/repo") + "/top"

    async def work(dag: dagger.Client) -> object:
        found = dag.git(url).branch("main")
        return [
            sorted(await found.tree(discard_git_dir=True).glob("sub/**")),
            await found.tree().file("sub/middle/below/deep").contents(),
        ]

    listed, deep = client(work)  # type: ignore[misc]
    assert "sub/middle/below/deep" in listed
    assert "sub/middle/own" in listed
    assert deep == "deep"


def test_a_repository_of_the_web_names_no_submodule_of_this_machine(
    client: Client, repository: Repository, tmp_path: Path
):
    other = tmp_path / "private"
    other.mkdir()
    git(other, "init", "-q", "-b", "main")
    commit(other, "secret", "secret")
    top = repository.work.parent / "sly"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    git(top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", f"file://{other}", "sub")
    commit(top, "file", "top")
    url = repository.url.removesuffix("/repo") + "/sly"

    async def work(dag: dagger.Client) -> object:
        return await dag.git(url).branch("main").tree().entries()

    with pytest.raises(dagger.QueryError, match="of another machine names none of this one"):
        client(work)


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% /tmp/x", "--upload-pack=x", "nothing", "ftp://h/p", "https://-oProxyCommand=x/p"]
)
def test_addresses_that_are_none_are_refused(client: Client, url: str):
    with pytest.raises(dagger.QueryError, match="failed to parse Git URL"):
        client(lambda dag: dag.git(url).head().commit())


def test_ssh_without_an_agent_is_refused(client: Client):
    with pytest.raises(dagger.QueryError, match="not supported without an SSH socket"):
        client(lambda dag: dag.git("git@127.0.0.1:repo").head().commit())


def test_a_fragment_names_what_head_is_and_where(client: Client, repository: Repository):
    async def work(dag: dagger.Client) -> object:
        return [
            await dag.git(f"{repository.url}#side").head().commit(),
            await dag.address(f"{repository.url}#main:sub").directory().entries(),
            await dag.address(f"{repository.url}#v1.0.0:file").file().contents(),
            await dag.address(f"{repository.url}#side").git_ref().commit(),
        ]

    three = repository.commits["three"]
    assert client(work) == [three, ["file"], "one", three]


def test_a_login_over_http_is_given_and_never_seen(client: Client, web: Web):
    web.login = "Basic " + base64.b64encode(b"me:token-4711").decode()
    url = f"{web.url}/git/repo"

    async def token(dag: dagger.Client) -> object:
        secret = dag.set_secret("git", "token-4711")
        repo = dag.git(url, http_auth_username="me", http_auth_token=secret)
        return await repo.head().tree(discard_git_dir=True).entries(), await repo.url()

    async def header(dag: dagger.Client) -> object:
        secret = dag.set_secret("git-header", web.login)
        repo = dag.git(url, http_auth_header=secret)
        return await repo.head().tree().file(".git/config").contents()

    assert client(token) == (["file", "sub/"], url)
    assert "4711" not in str(client(header))
    with pytest.raises(dagger.QueryError, match=r"could not read Username|Authentication failed"):
        client(lambda dag: dag.git(url).branches())


def test_a_second_session_fetches_nothing(repository: Repository, web: Web, shared_home: Path):
    url = f"{web.url}/git/repo"

    async def work() -> list[str]:
        async with dagger.Connection() as dag:
            return await dag.git(url).commit(repository.commits["one"]).tree(discard_git_dir=True).entries()

    for _ in range(2):
        web.seen.clear()
        with session(shared_home, dict(os.environ)) as environ, pytest.MonkeyPatch.context() as patch:
            for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
                patch.setenv(name, environ[name])
            assert anyio.run(work) == ["file"]
    # what its references are may change: that is asked, and nothing else
    assert len([path for path, headers in web.seen if "upload-pack" in path and "Content-Length" in headers]) <= 1


# ---- a directory's repository


def test_a_directory_s_repository(client: Client, tmp_path: Path):
    made = make_repository(tmp_path / "local")
    (made.work / ".gitignore").write_text("ignored\n")
    (made.work / "file").write_text("changed")
    (made.work / "new").write_text("new")
    (made.work / "ignored").write_text("ignored")
    (made.work / "sub/file").unlink()

    async def work(dag: dagger.Client) -> object:
        repo = dag.host().directory(str(made.work)).as_git()
        changes = repo.uncommitted()
        return {
            "url": await repo.url(),
            "head": [await repo.head().ref(), await repo.head().commit()],
            "tree": await repo.head().tree(discard_git_dir=True).file("file").contents(),
            "added": await changes.added_paths(),
            "modified": await changes.modified_paths(),
            "removed": await changes.removed_paths(),
        }

    assert client(work) == {
        "url": None,
        "head": ["refs/heads/main", made.commits["two"]],
        "tree": "one",
        "added": [".gitignore", "new"],
        "modified": ["file"],
        "removed": ["sub/file"],
    }


def test_what_a_repository_would_run_is_not_run(client: Client, tmp_path: Path):
    made = make_repository(tmp_path / "hostile")
    mark = tmp_path / "ran"
    commit(made.work, ".gitattributes", "* filter=x\n")
    for name in ("core.fsmonitor", "core.sshCommand", "core.alternateRefsCommand", "filter.x.smudge"):
        git(made.work, "config", name, f"touch {mark}")
    (made.work / ".git/hooks/post-checkout").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (made.work / ".git/hooks/post-checkout").chmod(0o755)

    async def work(dag: dagger.Client) -> object:
        repo = dag.host().directory(str(made.work)).as_git()
        return await repo.head().tree().entries(), await repo.uncommitted().is_empty()

    assert client(work) == ([".git/", ".gitattributes", "file", "sub/"], True)
    assert not mark.exists()


def test_a_directory_without_a_repository_is_an_error(client: Client):
    with pytest.raises(dagger.QueryError, match="not a git repository"):
        client(lambda dag: dag.directory().with_new_file("a", "b").as_git().branches())


# ---- http


def test_a_file_of_the_web(client: Client, web: Web):
    stamp = formatdate(1_600_000_000, usegmt=True)
    web.files["/some/file.txt"] = (b"content", {"Last-Modified": stamp})

    async def work(dag: dagger.Client) -> object:
        file = dag.http(f"{web.url}/some/file.txt")
        named = dag.http(f"{web.url}/some/file.txt", name="other", permissions=0o755)
        stat = await named.stat().permissions()
        return [await file.contents(), await file.name(), await named.name(), stat]

    assert client(work) == ["content", "file.txt", "other", 0o755]


def test_a_checksum_must_be_right(client: Client, web: Web):
    web.files["/f"] = (b"content", {})
    right = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"

    async def work(dag: dagger.Client) -> object:
        return await dag.http(f"{web.url}/f", checksum=right).contents()

    assert client(work) == "content"
    with pytest.raises(dagger.QueryError, match="http checksum mismatch: expected sha256:0"):
        client(lambda dag: dag.http(f"{web.url}/f", checksum="sha256:" + "0" * 64).contents())
    with pytest.raises(dagger.QueryError, match="invalid checksum"):
        client(lambda dag: dag.http(f"{web.url}/f", checksum="md5:0").contents())


def test_each_session_asks_once_whether_it_was_changed(web: Web, shared_home: Path):
    web.files["/etag"] = (b"one", {"ETag": '"1"'})

    async def work() -> list[str]:
        async with dagger.Connection() as dag:
            return [await dag.http(f"{web.url}/etag").contents(), await dag.http(f"{web.url}/etag").contents()]

    answers = []
    for number in range(3):
        if number == 2:
            web.files["/etag"] = (b"two", {"ETag": '"2"'})
        with session(shared_home, dict(os.environ)) as environ, pytest.MonkeyPatch.context() as patch:
            for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
                patch.setenv(name, environ[name])
            answers.append(anyio.run(work))
    assert answers == [["one"] * 2, ["one"] * 2, ["two"] * 2]
    assert [headers.get("If-None-Match") for _, headers in web.seen] == [None, '"1"', '"1"']


def test_an_authorization_is_sent_to_its_own_host_only(client: Client, web: Web, repository: Repository):
    other = Web(repository.work.parent)
    other.files["/there"] = (b"public", {})
    web.files["/secret"] = (b"private", {"Secret": "Bearer t"})
    web.files["/away"] = (b"", {"Status": "302", "Location": f"{other.url}/there"})

    async def work(dag: dagger.Client) -> object:
        header = dag.set_secret("header", "Bearer t")
        return [await dag.http(f"{web.url}/{path}", auth_header=header).contents() for path in ("secret", "away")]

    try:
        assert client(work) == ["private", "public"]
        assert "Authorization" not in other.seen[0][1]
        with pytest.raises(dagger.QueryError, match="invalid response status 401"):
            client(lambda dag: dag.http(f"{web.url}/secret").contents())
    finally:
        other.close()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/f", "gopher://h/", "http://"])
def test_other_schemes_are_refused(client: Client, url: str):
    with pytest.raises(dagger.QueryError, match="unsupported address"):
        client(lambda dag: dag.http(url).contents())


def test_a_file_that_is_not_there(client: Client, web: Web):
    with pytest.raises(dagger.QueryError, match="invalid response status 404"):
        client(lambda dag: dag.http(f"{web.url}/nothing").contents())
