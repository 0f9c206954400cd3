"""Which tests a change concerns: those from which imports lead to it, and all where nobody can tell."""

import json

import anyio
import pytest

from sealane.stages import affected, project
from sealane.stages.scripts import imports
from sealane.testing import RecordingEngine

FILES = {
    "app/__init__.py": "",
    "app/prices.py": "def total(): ...\n",
    "app/shop.py": "from .prices import total\n",
    "app/other.py": "import json\n",
    "app/cli.py": "from app.shop import total\n",
    "tests/unit/test_prices.py": "from app.prices import total\n",
    "tests/unit/test_shop.py": "import app.shop\n",
    "tests/unit/test_other.py": "from app import other\n",
    "tests/unit/test_patched.py": "PATCHED = 'app.shop.total'\n",
    "tests/unit/test_command.py": "RUN = ['shop-tool', '--help']\n",
    "tests/unit/deep/conftest.py": "from app import shop\n",
    "tests/unit/deep/test_fixture.py": "def test(): ...\n",
    "pyproject.toml": "[project]\nname = 'app'\n[project.scripts]\nshop-tool = 'app.cli:main'\n",
    "README.md": "words",
    "app/data.json": "{}",
    "Dockerfile": "FROM scratch",
}


def asked(changed, removed=(), files=FILES):
    graph = {name: imports.names(text, name) for name, text in files.items() if name.endswith(".py")}

    async def main():
        async with RecordingEngine() as engine:
            engine.on("imports.py", stdout=json.dumps(graph))
            found = await project.read(engine.directory(files))
            return await affected.tests(frozenset(changed), frozenset(removed), found), found

    return anyio.run(main)


def names(tests):
    return {name.rpartition("/")[2] for name in tests.files}


def test_imports_lead_to_the_tests_that_run():
    tests, found = asked(["app/prices.py"])
    assert names(tests) == {
        "test_prices.py", "test_shop.py", "test_patched.py", "test_command.py", "test_fixture.py"
    }  # fmt: skip
    assert tests.application
    assert not tests.everything
    assert "tests/unit/test_other.py" not in tests.within(found.unit_tests, found)
    assert tests.within(["tests/unit/deep/"], found) == ("tests/unit/deep/test_fixture.py",)


def test_a_test_that_changed_runs_alone():
    tests, _ = asked(["tests/unit/test_other.py"])
    assert (names(tests), tests.application, tests.everything) == ({"test_other.py"}, False, "")


def test_who_imported_what_is_gone_runs():
    files = {name: text for name, text in FILES.items() if name != "app/other.py"}
    assert names(asked([], ["app/other.py"], files)[0]) == {"test_other.py"}


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "app/data.json", "tests/conftest.py", "setup.py", "requirements.txt", "frontend.lock"]
)
def test_what_no_import_leads_to_concerns_every_test(name):
    tests, found = asked([name, "app/prices.py"])
    assert name in tests.everything
    assert tests.within(found.unit_tests, found) == found.unit_tests


@pytest.mark.parametrize("name", ["README.md", "docs/use.md", ".github/workflows/ci.yml", "LICENSE", ".gitignore"])
def test_what_no_test_reads_concerns_none(name):
    assert asked([name])[0] == affected.Tests()


def test_an_image_concerns_what_talks_to_the_application_alone():
    tests, _ = asked(["Dockerfile"])
    assert (tests.files, tests.application, tests.everything) == (frozenset(), True, "")


def test_the_frontends_files_concern_its_tests():
    files = {**FILES, "frontend/package.json": "{}", "frontend/src/a.js": ""}
    tests, _ = asked(["frontend/src/a.js"], files=files)
    assert (tests.files, tests.frontend, tests.everything) == (frozenset(), True, "")


def test_a_file_that_is_no_python_leaves_nothing_to_tell():
    assert "app/broken.py" in asked(["app/prices.py"], files={**FILES, "app/broken.py": "def ("})[0].everything


def test_a_project_that_names_its_test_files_itself_runs_all():
    own = FILES["pyproject.toml"] + "[tool.pytest.ini_options]\npython_files = ['check_*.py']\n"
    assert "pyproject.toml" in asked(["app/prices.py"], files={**FILES, "pyproject.toml": own})[0].everything


def test_who_loads_anything_runs_whatever_changed():
    files = {**FILES, "tests/unit/test_all.py": "import pkgutil\nfor each in pkgutil.iter_modules(): ...\n"}
    assert "test_all.py" in names(asked(["app/other.py"], files=files)[0])


def test_prose_names_no_module():
    assert "other" not in imports.names('"""The other one."""\nMESSAGE = "no other shop"\n', "app/a.py")
    assert {"app", "app.other"} <= set(imports.names("RUN = 'python -m app.other'\n", "tests/test_a.py"))
    assert {"tools.make"} <= set(imports.names("RUN = ['python', 'tools/make.py']\n", "tests/test_a.py"))


@pytest.mark.parametrize(
    ("name", "widens"),
    [("setup.cfg", True), (".flake8", True), ("requirements-dev.txt", True), ("rules/own.yaml", True),
     (".gitignore", False), (".env.example", False), ("app/prices.py", False), ("docs/use.md", False)],
)  # fmt: skip
def test_settings_that_changed_widen_lint_and_scan(name, widens):
    async def main():
        async with RecordingEngine() as engine:
            config = "[tool.sealane.scan]\nrules = ['rules/']\n"
            found = await project.read(engine.directory({**FILES, "pyproject.toml": config}))
            return affected.settings([name], found)

    assert bool(anyio.run(main)) is widens
