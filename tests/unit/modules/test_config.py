"""dagger.json and pyproject.toml: what is read, and which interpreter and packages follow from it."""

from __future__ import annotations

import json

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.config import (
    Dependency,
    Entry,
    brings_client,
    find,
    parse_config,
    parse_workspace,
    read_project,
)
from sealane_engine.modules.runtime import CLIENT, installations


def write(folder, **data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagger.json").write_text(json.dumps(data))


def load(folder):
    return parse_config((folder / "dagger.json").read_bytes(), "dagger.json")


def test_is_found_upwards(tmp_path):
    write(tmp_path / "a", name="m")
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert find(tmp_path / "a/b/c") == tmp_path / "a/dagger.json"
    assert find(tmp_path) is None or find(tmp_path).parent not in (tmp_path, tmp_path / "a")
    (tmp_path / "a/b/dagger.toml").write_text("")
    assert find(tmp_path / "a/b/c") == tmp_path / "a/dagger.json"
    assert find(tmp_path / "a/b/c", ("dagger.json", "dagger.toml")) == tmp_path / "a/b/dagger.toml"


def test_reads_both_spellings_of_the_sdk_and_old_excludes(tmp_path):
    write(tmp_path, name="m", sdk="python", include=["x"], exclude=["y"], source="ci")
    config = load(tmp_path)
    assert (config.sdk, config.include, config.source) == ("python", ("x", "!y"), "ci")
    write(tmp_path, name="m", sdk={"source": "go"}, disableDefaultFunctionCaching=True)
    assert (load(tmp_path).sdk, load(tmp_path).caches) == ("go", False)


def test_reads_what_a_module_depends_on(tmp_path):
    write(
        tmp_path,
        name="m",
        dependencies=[{"name": "a", "source": "../a"}],
        toolchains=[{"source": "h.io/o/n@v1", "pin": "c"}],
    )
    config = load(tmp_path)
    assert config.dependencies == (Dependency("a", "../a"),)
    assert config.toolchains == (Dependency("", "h.io/o/n@v1", "c"),)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": ""},
        {"name": "m", "source": "../x"},
        {"name": "m", "source": "/x"},
        {"name": "m", "dependencies": [{"name": "a"}]},
        {"name": "m", "toolchains": ["a"]},
    ],
)
def test_refuses_what_names_nothing_or_leaves_the_module(tmp_path, data):
    write(tmp_path, **data)
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path)
    assert caught.value.reason == "bad-module-config"


@pytest.mark.parametrize(
    ("requires", "pinned", "image"),
    [
        (">=3.11", "", "3.11"),
        (">=3.12", "", "3.13"),
        (">=3.9", "", "3.11"),
        (">=3.14", "", "3.14"),
        (">=3.12,<3.13", "", "3.12"),
        ("", "", "3.13"),
        (">=3.11", "3.12.4", "3.12"),
    ],
)
def test_the_interpreter_is_the_least_that_fits_and_the_catalog_has(requires, pinned, image):
    files = {"pyproject.toml": f'[project]\nname = "a-b"\nrequires-python = "{requires}"\n'.encode()}
    if pinned:
        files[".python-version"] = pinned.encode()
    project = read_project(files, "m")
    assert (project.image, project.package) == (f"python:{image}-slim", "a_b")


def test_a_lock_is_installed_as_it_is_but_not_the_vendored_sdk():
    lock = b"-e ./sdk\n./sdk\nanyio==4.0\ndagger-io==0.21.8 \\\n    --hash=sha256:00\n"
    project = read_project({"pyproject.toml": b"", "requirements.lock": lock}, "m")
    assert project.requirements.splitlines()[0] == "anyio==4.0"
    assert project.locked
    assert brings_client(project.requirements)


def test_a_uv_lock_gives_the_packages_that_the_project_needs():
    lock = b"""
[[package]]
name = "m"
source = { editable = "." }
dependencies = [{ name = "anyio" }, { name = "dagger-io" }]
[[package]]
name = "anyio"
version = "4.1"
source = { registry = "https://index.example/simple" }
[[package]]
name = "dagger-io"
version = "0.0"
source = { editable = "sdk" }
[[package]]
name = "pytest"
version = "8"
source = { registry = "https://index.example/simple" }
"""
    project = read_project({"pyproject.toml": b'[project]\nname = "m"\n', "uv.lock": lock}, "m")
    assert (project.requirements, project.locked) == ("anyio==4.1\n", True)


def test_without_a_lock_the_declared_packages_are_resolved_and_the_client_is_ours():
    toml = b'[project]\nname = "m"\ndependencies = ["dagger-io", "pydantic>=2"]\n'
    project = read_project({"pyproject.toml": toml, "src/": b""}, "m")
    assert (project.requirements, project.locked, project.src) == ("pydantic>=2\n", False, "src")


def test_a_project_that_is_no_toml_says_so():
    with pytest.raises(InvalidInput) as caught:
        read_project({"pyproject.toml": b"["}, "m")
    assert caught.value.reason == "bad-module-project"


def test_a_lock_is_installed_as_it_is_and_the_client_with_what_it_needs():
    lock = b"""
[[package]]
name = "m"
version = "0"
source = { editable = "." }
dependencies = [{ name = "dagger-io" }, { name = "rich" }]

[[package]]
name = "dagger-io"
version = "0"
source = { editable = "sdk" }

[[package]]
name = "rich"
version = "13.7.1"
source = { registry = "r" }
"""
    project = read_project({"pyproject.toml": b'[project]\nname = "m"\n', "uv.lock": lock}, "m")
    locked, client = installations(project)
    assert project.requirements == "rich==13.7.1\n"
    assert "--no-deps" in locked
    assert client[-1] == CLIENT
    assert "--no-deps" not in client


def test_reads_a_module_as_dagger_1_writes_it():
    config = parse_config(
        b"""
name = "m"
engineVersion = "v1.0.0"
source = "ci"
include = ["x"]

[runtime]
source = "python"

[[dependencies]]
name = "d"
source = "../d"
""",
        "dagger-module.toml",
    )
    assert (config.name, config.sdk, config.source, config.include) == ("m", "python", "ci", ("x",))
    assert config.dependencies == (Dependency("d", "../d"),)


def test_reads_the_entry_point_of_a_workspace():
    text = b"""
[modules.other]
source = "other"

[modules.greeter]
source = "./greeter"
entrypoint = true
settings = { greeting = "Hi", times = 2, loud = true, names = ["a", "b"] }
"""
    settings = (("greeting", "Hi"), ("times", "2"), ("loud", "true"), ("names", '["a", "b"]'))
    assert parse_workspace(text, "dagger.toml") == Entry("greeter", "./greeter", settings=settings)
    assert parse_workspace(b"", "dagger.toml") is None


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (parse_config, b"name = ", "is not TOML"),
        (parse_config, b"engineVersion = 'x'", 'has no "name"'),
        (parse_config, b"name = 'm'\nsdk = 'python'", '"sdk": it is [runtime] there'),
        (parse_config, b"name = 'm'\ntoolchains = []", '"toolchains": it belongs into dagger.toml'),
        (parse_config, b"name = 'm'\nsource = '../x'", "leaves the module"),
        (parse_workspace, b"[modules.a]\nentrypoint = true", 'module "a" has no "source"'),
        (
            parse_workspace,
            b"[modules]\na = {source = 'a', entrypoint = true}\nb = {source = 'b', entrypoint = true}",
            "several entry points: a, b",
        ),
        (parse_workspace, b"\xff", "is not TOML"),
    ],
)
def test_files_of_dagger_1_that_cannot_work_are_named(read, text, says):
    with pytest.raises(InvalidInput) as caught:
        read(text, "x/dagger-module.toml")
    assert says in str(caught.value)
    assert caught.value.reason == "bad-module-config"
