"""Small values: env files on containers, code maps, generated code, the workspace of a session without modules."""

from __future__ import annotations

import os
from pathlib import Path

import dagger
import pytest

from .conftest import Client

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(600)]


def test_variables_of_an_env_file_are_a_containers(client: Client):
    async def work(dag: dagger.Client) -> object:
        file = dag.env_file().with_variable("A", "1").with_variable("B", "$A-2").with_variable("C", "'$A'")
        container = dag.container().with_env_variable("A", "0").with_env_file_variables(file)
        return [(await v.name(), await v.value()) for v in await container.env_variables()]

    assert client(work) == [("A", "1"), ("B", "1-2"), ("C", "$A")]


def test_a_source_map_says_where_something_stands(client: Client):
    async def work(dag: dagger.Client) -> object:
        found = dag.source_map("main.py", 3, 7)
        return await found.filename(), await found.line(), await found.column(), await found.url()

    assert client(work) == ("main.py", 3, 7, "")


def test_generated_code_keeps_what_version_control_should_know(client: Client):
    async def work(dag: dagger.Client) -> object:
        code = dag.generated_code(dag.directory().with_new_file("gen.py", "x"))
        code = code.with_vcs_generated_paths(["gen.py"]).with_vcs_ignored_paths(["sdk"])
        return await code.vcs_generated_paths(), await code.vcs_ignored_paths(), await code.code().entries()

    assert client(work) == (["gen.py"], ["sdk"], ["gen.py"])


def test_a_workspace_is_the_directory_that_the_session_was_started_in(client: Client):
    async def work(dag: dagger.Client) -> object:
        workspace = dag.current_workspace()
        with pytest.raises(dagger.QueryError, match="leaves the workspace"):
            await workspace.directory("/../etc").entries()
        return (
            await workspace.path(),
            (await workspace.address()).startswith("file:///"),
            await workspace.has_config(),
            await workspace.config_path(),
            await workspace.find_up("no-such-file-anywhere"),
            await workspace.checks().list_(),
            await workspace.update().is_empty(),
        )

    path, *rest = client(work)
    assert path
    assert rest == [True, False, "", None, [], True]


def test_a_report_of_checks_is_a_table(client: Client):
    async def work(dag: dagger.Client) -> object:
        return await dag.current_workspace().checks().report().contents()

    assert client(work) == "| check | type | description | success |\n| -- | -- | -- | -- |\n"


def test_the_machine_is_read_anew_when_asked_so(client: Client, tmp_path: Path):
    """core/integration/host_test.go TestDirectoryCacheBehavior, TestFileCacheBehavior, TestFindUp."""
    file = tmp_path / "f"

    async def read(dag: dagger.Client, *, no_cache: bool) -> object:
        directory = dag.host().directory(str(tmp_path), no_cache=no_cache)
        return [
            await directory.entries(),
            await dag.host().file(str(file), no_cache=no_cache).contents(),
            await dag.address(str(tmp_path)).directory(no_cache=no_cache).file("f").contents(),
            await dag.address(str(file)).file(no_cache=no_cache).contents(),
        ]

    async def work(dag: dagger.Client) -> object:
        file.write_text("1")
        kept = await dag.host().directory(str(tmp_path), no_cache=True).sync()
        first = [await read(dag, no_cache=False), await read(dag, no_cache=True)]
        file.write_text("12")
        (tmp_path / "g").touch()
        return [*first, await read(dag, no_cache=False), await read(dag, no_cache=True), await kept.entries()]

    was, now = [["f"], "1", "1", "1"], [["f", "g"], "12", "12", "12"]
    assert client(work) == [was, was, was, now, ["f"]]


def test_what_is_found_upwards_is_named_from_the_working_directory(client: Client):
    async def work(dag: dagger.Client) -> object:
        return await dag.host().find_up("etc"), await dag.host().find_up("no-such-name-anywhere")

    found, nothing = client(work)  # type: ignore[misc]
    assert found == os.path.relpath("/etc")
    assert nothing is None
