"""Small values: env files on containers, code maps, generated code, the workspace of a session without modules."""

from __future__ import annotations

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
