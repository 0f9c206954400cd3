"""Repositories and files that a service serves: `experimentalServiceHost`, and services that run already.

What is asserted is what core/integration/services_test.go, http_test.go and git_test.go assert of Dagger at v0.21.8.
"""

from __future__ import annotations

from pathlib import Path

import dagger
import pytest

from .conftest import Client
from .servers import commit, git

pytestmark = [pytest.mark.needs("root", "git"), pytest.mark.timeout(600)]

IMAGE = "python:3.11-slim"
PORT = 8000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for a server of nothing but files: a text, and a repository with a submodule that is beside it."""
    base = tmp_path_factory.mktemp("served")
    (base / "hello.txt").write_text("hello\n")
    inner, outer = base / "work/inner", base / "work/outer"
    for folder in (inner, outer):
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
    commit(inner, "inner", "in\n")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    git(outer, "config", "-f", ".gitmodules", "submodule.sub.url", "../inner.git")
    git(outer, "add", ".gitmodules")
    commit(outer, "outer", "out\n")
    for folder in (inner, outer):
        bare = base / f"{folder.name}.git"
        git(base, "clone", "--quiet", "--bare", "--no-local", str(folder), str(bare))
        git(bare, "update-server-info")
    return base


def server(dag: dagger.Client, served: Path) -> dagger.Service:
    files = dag.host().directory(str(served), exclude=["work"])
    container = dag.container().from_(IMAGE).with_mounted_directory("/srv", files).with_workdir("/srv")
    args = ["python3", "-m", "http.server", str(PORT)]
    return container.with_exposed_port(PORT).as_service(args=args)


def test_a_file_of_a_service(client: Client, served: Path):
    async def work(dag: dagger.Client) -> object:
        service = server(dag, served)
        url = f"http://{await service.hostname()}:{PORT}"
        file = dag.http(f"{url}/hello.txt", experimental_service_host=service)
        named = server(dag, served).with_hostname("files-of-mine")
        again = dag.http(f"http://files-of-mine:{PORT}/hello.txt", experimental_service_host=named)
        with pytest.raises(dagger.QueryError, match="404"):
            await dag.http(f"{url}/nothing", experimental_service_host=service).contents()
        return await file.contents(), await file.name(), await again.contents()

    assert client(work) == ("hello\n", "hello.txt", "hello\n")


def test_a_repository_of_a_service_and_its_submodule(client: Client, served: Path):
    async def work(dag: dagger.Client) -> object:
        service = server(dag, served)
        url = f"http://{await service.hostname()}:{PORT}/outer.git"
        tree = dag.git(url, experimental_service_host=service).branch("main").tree(discard_git_dir=True)
        return await tree.glob("**/*"), await tree.file("sub/inner").contents()

    assert client(work) == ([".gitmodules", "outer", "sub/", "sub/inner"], "in\n")


def test_a_service_that_runs_is_found_by_its_name(client: Client, served: Path):
    async def work(dag: dagger.Client) -> object:
        service = server(dag, served).with_hostname("running-files")
        with pytest.raises(dagger.QueryError, match="running-files"):
            await dag.http(f"http://running-files:{PORT}/hello.txt?before").contents()
        await service.start()
        try:
            text = await dag.http(f"http://running-files:{PORT}/hello.txt?running").contents()
            head = dag.git(f"http://running-files:{PORT}/inner.git").head()
            return text, await head.tree(discard_git_dir=True).entries()
        finally:
            await service.stop()

    assert client(work) == ("hello\n", ["inner"])


def test_what_a_service_does_not_serve_is_named_as_it_was_asked_for(client: Client, served: Path):
    async def work(dag: dagger.Client) -> object:
        service = server(dag, served).with_hostname("no-such-repository")
        for scheme in ("http", "https"):
            url = f"{scheme}://no-such-repository:{PORT}/missing.git"
            with pytest.raises(dagger.QueryError, match="no-such-repository"):
                await dag.git(url, experimental_service_host=service).head().commit()
        return None

    assert client(work) is None


def test_a_directory_that_is_a_repository_has_no_uncommitted_files(client: Client, served: Path):
    async def work(dag: dagger.Client) -> object:
        return await dag.host().directory(str(served / "inner.git")).as_git().uncommitted().is_empty()

    assert client(work) is True
