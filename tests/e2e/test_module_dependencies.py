"""Modules that depend on modules: beside each other, in a repository, and on Sealane itself."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]
Sealane = Callable[..., subprocess.CompletedProcess[str]]


def out(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_module_calls_its_dependencies_by_a_client_of_their_types(sealane: Sealane, modules: Path):
    party = modules / "party"
    assert out(sealane("call", "invite", "--guests", "a,b", cwd=party)) == "Welcome, a!\nWelcome, b!\n"
    assert out(sealane("call", "loudly", "--guest", "x", cwd=party)) == "HELLO, X! HELLO, X!"
    assert out(sealane("call", "envelope", "--guest", "z", "contents", cwd=party)) == "Hello, z!\n"


def test_a_dependency_may_go_by_another_name(sealane: Sealane, modules: Path):
    assert "Dear, a!" in out(sealane("call", "cards", "--guests", "a", cwd=modules / "party"))


def test_only_the_modules_own_functions_are_shown(sealane: Sealane, modules: Path):
    shown = out(sealane("functions", cwd=modules / "party"))
    assert "invite" in shown
    assert "usher" not in shown
    assert "own-files" not in shown


def test_a_failed_command_in_a_dependency_stays_one(sealane: Sealane, modules: Path):
    done = sealane("call", "trouble", cwd=modules / "party")
    assert done.returncode == 3
    assert "to stderr" in done.stderr


def test_an_object_is_passed_where_another_module_wants_an_interface_that_it_fits(sealane: Sealane, modules: Path):
    farm = modules / "farm"
    assert out(sealane("call", "listen", "--name", "bob", cwd=farm)) == "heard quack, I am BOB"
    assert out(sealane("call", "listen-all", "--names", "a,b", cwd=farm)) == "quack, I am a\nquack, I am b\n"
    assert out(sealane("call", "kept", "--name", "x", cwd=farm)) == "quack, I am x"
    wrong = sealane("call", "wrong", cwd=farm)
    assert wrong.returncode == 1
    assert "ShopDuck" in wrong.stderr


@pytest.mark.needs("git")
def test_a_module_and_its_dependencies_come_from_a_repository(sealane: Sealane, modules: Path, tmp_path: Path):
    servers = _load(ROOT / "tests/contract/servers.py")
    work = shutil.copytree(modules, tmp_path / "work", ignore=shutil.ignore_patterns(".git"))
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "m"), ("tag", "party/v1.0.0")):
        servers.git(work, *words)
    servers.git(tmp_path, "clone", "-q", "--bare", str(work), "modules.git")
    url = f"{servers.Web(tmp_path).url}/git/modules.git"
    called = sealane("call", "-m", f"{url}/party@v1.0.0", "invite", "--guests", "a", cwd=tmp_path)
    assert out(called) == "Welcome, a!\n"
    own = sealane("call", "-m", f"{url}/greeter", "own-files", cwd=tmp_path)
    assert out(own).splitlines() == ["dagger.json", "pyproject.toml"]
    missing = sealane("functions", "-m", f"{url}/nobody", cwd=tmp_path)
    assert missing.returncode == 1
    assert "no dagger.json" in missing.stderr


@pytest.mark.parametrize(
    ("source", "says"),
    [("../../outside", "outside its context"), ("../nobody", "no dagger.json"), (".", "in a circle")],
)
def test_a_dependency_that_cannot_be_is_named(sealane: Sealane, modules: Path, source: str, says: str):
    folder = modules / "lost"
    shutil.copytree(modules / "greeter", folder, dirs_exist_ok=True)
    config = {"name": "greeter", "sdk": {"source": "python"}, "dependencies": [{"name": "other", "source": source}]}
    (folder / "dagger.json").write_text(json.dumps(config))
    done = sealane("functions", cwd=folder)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def fn(self) -> dagger.Greeter: ...", 'function "fn" cannot return external type'),
        ("def fn(self, card: list[dagger.GreeterCard]) -> str: ...", 'arg "card" cannot reference external type'),
        ("def id(self) -> str: ...", 'function with reserved name "id"'),
    ],
)
def test_what_no_engine_would_serve_is_refused_when_the_module_loads(
    sealane: Sealane, modules: Path, body: str, says: str
):
    """Source: TestPythonWithOtherModuleTypes of Dagger's tests of modules in Python."""
    folder = modules / "refused"
    (folder / "src/refused").mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        (modules / "greeter/pyproject.toml").read_text().replace("greeter", "refused")
    )
    config = {
        "name": "refused",
        "sdk": {"source": "python"},
        "dependencies": [{"name": "greeter", "source": "../greeter"}],
    }
    (folder / "dagger.json").write_text(json.dumps(config))
    (folder / "src/refused/__init__.py").write_text(
        f"import dagger\n\n@dagger.object_type\nclass Refused:\n    @dagger.function\n    {body}\n"
    )
    done = sealane("functions", cwd=folder)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_sealanes_stages_are_functions_of_a_module_that_depends_on_it(sealane: Sealane):
    assert "Lint passed" in out(sealane("call", "lint-summary", cwd=ROOT / "examples/reuse"))
    assert "verify" in out(sealane("functions", cwd=ROOT / "examples/reuse"))


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
