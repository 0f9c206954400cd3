"""A project's parts are found where ordinary projects have them."""

import anyio
import pytest

from sealane.stages import declared, project
from sealane.stages.lint import looks
from sealane.testing import RecordingEngine


def found(files):
    async def main():
        async with RecordingEngine() as engine:
            return await project.read(engine.directory(dict.fromkeys(files, "") if isinstance(files, list) else files))

    return anyio.run(main)


@pytest.mark.parametrize(
    ("files", "packages", "unit", "integration"),
    [
        (["backend/__init__.py", "tests/unit/test_a.py", "tests/integration/test_b.py"], ("backend",), ("tests/unit/",), ("tests/integration/",)),
        (["src/x/__init__.py", "src/x/y/__init__.py", "tests/test_a.py"], ("src/x",), ("tests/",), ()),
        (["x.py", "setup.py", "test_x.py"], ("x.py",), ("test_x.py",), ()),
        (["x/__init__.py", "x/tests/__init__.py", "x/tests/test_a.py"], ("x",), ("x/tests",), ()),
        (["tests/__init__.py", "tests/test_a.py", "x.py"], ("x.py",), ("tests/",), ()),
        (["node_modules/a/b.py", "README"], (), (), ()),
    ],
)  # fmt: skip
def test_code_and_tests(files, packages, unit, integration):
    p = found(files)
    assert (p.packages, p.unit_tests, p.integration_tests) == (packages, unit, integration)


def test_a_pyproject_with_tool_settings_alone_is_not_a_package():
    assert not found({"pyproject.toml": "[tool.black]\n"}).installable
    assert found({"pyproject.toml": "[project]\nname = 'x'\n"}).installable
    assert found(["setup.py"]).installable


def test_the_frontend():
    assert found(["frontend/package.json"]).frontend == "frontend"
    assert found(["package.json"]).frontend == "."
    assert found(["a.py"]).frontend is None


@pytest.mark.parametrize(
    ("files", "tools"),
    [
        ({"a.py": ""}, {"black", "isort", "flake8", "mypy", "bandit"}),
        ({"ruff.toml": ""}, {"ruff", "ruff-format", "mypy", "bandit"}),
        ({"pyproject.toml": "[tool.ruff]\n[tool.black]\n"}, {"ruff", "black", "mypy", "bandit"}),
        ({"ruff.toml": "", "setup.cfg": "[flake8]\n"}, {"ruff", "ruff-format", "flake8", "mypy", "bandit"}),
        ({"ruff.toml": "", "sealane.toml": "[lint]\ntools = ['flake8']\n"}, {"flake8"}),
    ],
)
def test_a_project_that_uses_ruff_is_linted_by_ruff(files, tools):
    python = {"black", "isort", "flake8", "ruff", "ruff-format", "mypy", "bandit"}
    assert set(found(files).lint_tools) & python == tools


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"pyproject.toml": "[tool.coverage.run]\nsource = ['x']\n"}, True),
        ({"pyproject.toml": "[tool.coverage.run]\nbranch = true\n"}, False),
        ({".coveragerc": "[run]\nbranch = 1\ninclude =\n  x/*\n[report]\n"}, True),
        ({".coveragerc": "[run]\nbranch = 1\n[report]\ninclude =\n  x/*\n"}, False),
        ({"setup.cfg": "[coverage:run]\nsource = x\n"}, True),
        ({"a.py": ""}, False),
    ],
)
def test_settings_of_coverage_that_say_what_is_measured(files, says):
    assert found(files).says_what_is_measured is says


@pytest.mark.parametrize(
    ("files", "python"),
    [
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.8'\n"}, "3.11"),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.11.4'\n"}, "3.11"),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.12'\n"}, "3.13"),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.12,<3.13'\n"}, "3.12"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.12'\n"}, "3.13"),
        ({"setup.cfg": "[options]\npython_requires = <3.11\n"}, "3.10"),
        ({"setup.py": "setup(python_requires='>=3.12')\n"}, "3.13"),
        ({"setup.py": "setup(python_requires='nonsense')\n"}, "3.11"),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.12'\n[tool.sealane]\npython = '3.11'\n"}, "3.11"),
    ],
)
def test_the_python_is_one_that_the_project_allows(files, python):
    assert found(files).config.python == python


@pytest.mark.parametrize(
    ("files", "dependencies"),
    [
        ({"pyproject.toml": "[project]\ndependencies = ['a>=1', 'b']\n"}, ("a>=1", "b")),
        ({"pyproject.toml": "[project]\ndependencies = 'nonsense'\n"}, ()),
        (
            {"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.9'\na = '^1.2'\nb = {version = '*', optional = true}\n"},
            ("a>=1.2,<2",),
        ),
        ({"setup.cfg": "[options]\ninstall_requires =\n  a>=1 ; python_version < '4'\n  # why\n  b # so\n"}, ("a>=1 ; python_version < '4'", "b")),
        ({"setup.cfg": "[options]\ninstall_requires = file: requirements.txt\n"}, ()),
        ({"setup.py": ""}, ()),
        ({"setup.py": "", "x.egg-info/requires.txt": "a>=1\nb\n\n[test]\npytest\n"}, ("a>=1", "b")),
        ({"setup.py": "", "src/x.egg-info/requires.txt": "[test]\npytest\n"}, ()),
    ],
)  # fmt: skip
def test_what_the_code_imports_is_what_its_metadata_says(files, dependencies):
    assert declared.dependencies(found(files)) == dependencies


@pytest.mark.parametrize("name", ["tests/requirements.txt", "requirements_dev.txt", "dev-requirements.txt"])
def test_requirements_of_the_tests_are_found_by_their_usual_names(name):
    assert found(["x.py", "requirements.txt", name]).test_requirements == ("requirements.txt", name)


def test_prettier_formats_a_node_part_and_of_a_python_project_with_one_what_is_code():
    python = {
        "package.json": "{}",
        "x.py": "",
        "a.js": "",
        "x/t.html": "",
        "README.md": "",
        "s/b.css": "",
        "s/b.min.css": "",
    }
    assert looks.formatted(found(python)) == ("a.js", "s/b.css")
    assert looks.formatted(found({**python, ".prettierrc": ""})) == (".",)
    assert looks.formatted(found({"frontend/package.json": "", "x.py": ""})) == (".",)
    assert looks.formatted(found({"package.json": "{}", "x.py": ""})) == ()


def test_scripts_of_others_are_not_the_projects():
    files = ["package.json", "a.js", "x/static/jquery.min.js", "x/static/vendor/b.js"]
    assert looks.scripts(found(files)) == ("a.js",)
