"""A project's parts are found where ordinary projects have them."""

import anyio
import pytest

from sealane.stages import project
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
