"""A module that begins, and what changes in its dagger.json: what `dagger init`, `install` and `develop` ask for.

cmd/dagger/module.go of Dagger at v0.21.8 has their chains; core/integration/module_config_test.go what comes of them.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import dagger
import pytest

from .conftest import Client

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(600)]


def source(dag: dagger.Client, folder: Path) -> dagger.ModuleSource:
    return dag.module_source(str(folder), disable_find_up=True, allow_not_exists=True)


async def begun(dag: dagger.Client, folder: Path, name: str) -> None:
    """As `dagger init --sdk=python --name=NAME` does it."""
    found = (
        source(dag, folder).with_name(name).with_sdk("python").with_source_subpath(".").with_engine_version("latest")
    )
    await found.generated_context_directory().export(await found.local_context_directory_path())


def config(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "dagger.json").read_text())
    return found


def test_a_module_begins_with_code_that_runs(client: Client, tmp_path: Path):
    async def work(dag: dagger.Client) -> object:
        await begun(dag, tmp_path / "my-mod", "my-mod")
        module = dag.module_source(str(tmp_path / "my-mod")).as_module()
        objects = [each.as_object() for each in await module.objects()]
        return [[await each.name(), [await one.name() for one in await each.functions()]] for each in objects]

    assert client(work) == [["MyMod", ["containerEcho"]]]
    assert {key: value for key, value in config(tmp_path / "my-mod").items() if key != "engineVersion"} == {
        "name": "my-mod",
        "sdk": {"source": "python"},
    }


def test_what_is_there_stays(client: Client, tmp_path: Path):
    """A dependency more, one less, patterns; the rest of the file and the code are as they were."""
    (tmp_path / "dagger.json").write_text(
        '{"name": "m", "sdk": {"source": "python"}, "source": "ci", "codegen": {"a": 1}}'
    )
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci/pyproject.toml").write_text('[project]\nname = "mine"\n')

    async def work(dag: dagger.Client) -> object:
        for name in ("dep-a", "dep-b"):
            await begun(dag, tmp_path / "deps" / name, name)
        others = [dag.module_source(str(tmp_path / "deps" / name)) for name in ("dep-a", "dep-b")]
        more = source(dag, tmp_path).with_dependencies(others).with_includes(["*.md"])
        made = more.generated_context_directory()
        assert await made.glob("**/*") == ["dagger.json"]
        await made.export(str(tmp_path))
        first = config(tmp_path)
        less = dag.module_source(str(tmp_path / "ci"))
        await less.without_dependencies(["dep-a"]).generated_context_directory().export(str(tmp_path))
        with pytest.raises(dagger.QueryError, match="not all of dep-a are dependencies"):
            await source(dag, tmp_path).with_includes(["x"]).without_dependencies(["dep-a"]).module_name()
        return first, config(tmp_path)

    first, then = client(work)  # type: ignore[misc]
    b = {"name": "dep-b", "source": "deps/dep-b"}
    assert first["dependencies"] == [{"name": "dep-a", "source": "deps/dep-a"}, b]
    assert (first["include"], first["codegen"], first["source"]) == (["*.md"], {"a": 1}, "ci")
    assert then["dependencies"] == [b]
