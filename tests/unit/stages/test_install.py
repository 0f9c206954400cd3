"""A project is installed for its tests by whatever way it says it."""

import pytest

from sealane.stages import install, steps, test
from sealane.stages.result import Outcome

BARE = {"tests/test_x.py": "", "x.py": ""}


def installs(engine):
    return [s.args[4:] for s in engine.steps if "install" in s.args and s.args[0] == "python"]


def prepare(engine_run, files, **rules):
    async def body(engine, project):
        for word, answer in rules.items():
            engine.on(word, **answer)
        await install.for_tests(project)
        return installs(engine)

    return engine_run(body, files={**BARE, **files})


def test_a_dependency_group_is_written_out(engine_run):
    groups = "[dependency-groups]\ntest = ['pytest', {include-group = 'more'}]\nmore = ['hypothesis', {include-group = 'test'}]\n"
    assert ("pytest", "hypothesis") in prepare(engine_run, {"pyproject.toml": groups})


def test_extras_come_from_setup_cfg(engine_run):
    assert ("-e", ".[testing]") in prepare(
        engine_run, {"setup.py": "", "setup.cfg": "[options.extras_require]\ntesting = pytest\n"}
    )


def test_of_a_setup_program_every_usual_extra_is_asked(engine_run):
    assert ("-e", ".[test,tests,testing]") in prepare(engine_run, {"setup.py": ""})


def test_dev_is_the_last_resort(engine_run):
    text = "[project]\nname = 'x'\n[project.optional-dependencies]\ndev = ['pytest']\n"
    assert ("-e", ".[dev]") in prepare(engine_run, {"pyproject.toml": text})


def test_a_project_that_cannot_be_installed_says_why(engine_run):
    async def body(engine, project):
        engine.on("-e", exit_code=1, stderr="editable: no\n")
        engine.on(".", exit_code=1, stderr="no compiler\n")
        with pytest.raises(steps.CannotRunError, match="the project can't be installed"):
            await install.for_tests(project)

    engine_run(body, files={**BARE, "pyproject.toml": "[project]\nname = 'x'\n"})


def test_with_requirements_the_project_itself_may_be_left_out(engine_run):
    async def body(engine, project):
        engine.on("-e", exit_code=1, stderr="flat layout\n")
        engine.on(".", exit_code=1, stderr="flat layout\n")
        _, notes = await install.for_tests(project)
        assert "the project itself was not installed" in notes[0]

    engine_run(body, files={**BARE, "pyproject.toml": "[project]\nname = 'x'\n", "requirements.txt": "a\n"})


def test_requirements_that_name_the_project_get_the_source(engine_run):
    async def body(engine, project):
        await install.for_tests(project)
        step = next(s for s in engine.steps if "-r" in s.args)
        assert "/src/x.py" in step.files

    engine_run(body, files={**BARE, "requirements.txt": "-e .\n"})


def test_system_packages_come_from_apt(engine_run):
    async def body(engine, project):
        await install.for_tests(project)
        assert ("apt-get", "install", "-y", "--no-install-recommends", "libpq5") in [s.args for s in engine.steps]

    engine_run(body, files={**BARE, "sealane.toml": "[test]\nsystem-packages = ['libpq5']\n"})


@pytest.mark.parametrize(("code", "outcome"), [(0, Outcome.RAN), (1, Outcome.FAILED)])
def test_the_frontends_tests(engine_run, code, outcome):
    async def body(engine, project):
        engine.on("npm", "run", "test", exit_code=code, stdout="1 test\n")
        result = await test.run(project)
        assert result.outcome is outcome
        assert "logs/test/frontend.txt" in await engine.files(result.report)

    engine_run(body, files={"package.json": '{"scripts": {"test": "node --test"}}'})


def test_a_frontend_whose_packages_cannot_be_had_is_not_run(engine_run):
    async def body(engine, project):
        engine.on("npm", "install", exit_code=1, stderr="npm ERR! code ENOTFOUND\n")
        result = await test.run(project)
        assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)

    engine_run(body, files={"package.json": '{"scripts": {"test": "node --test"}}'})


def pyproject(text):
    return {"pyproject.toml": f"[project]\nname = 'x'\n{text}"}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (pyproject("[tool.poetry.group.test.dependencies]\npytest = '^8.1'\nfoo = '~0.4.2'\nbar = '*'\n"), ("pytest>=8.1,<9", "foo>=0.4.2,<0.5", "bar")),
        (pyproject("[tool.poetry.dev-dependencies]\na = '^0.2'\nb = {version = '>=1,<3', extras = ['c']}\nd = {path = '.'}\n"), ("a>=0.2,<0.3", "b[c]>=1,<3")),
        (pyproject("[tool.pdm.dev-dependencies]\ntest = ['pytest-mock', '-e file:///x']\n"), ("pytest-mock",)),
        (pyproject("[tool.hatch.envs.default]\ndependencies = ['pytest', 'x{root:uri}']\n"), ("pytest",)),
        ({"tox.ini": "[testenv]\ndeps =\n  pytest\n  -r more.txt\n  py39: old\n  mock # why\n"}, ("pytest", "mock")),
    ],
)  # fmt: skip
def test_every_way_to_say_what_tests_need(engine_run, files, wanted):
    assert wanted in prepare(engine_run, files)


def apt(engine):
    return [s.args[4:] for s in engine.steps if s.args[:2] == ("apt-get", "install")]


def test_c_sources_bring_a_compiler(engine_run):
    async def body(engine, project):
        await install.for_tests(project)
        assert "gcc" in apt(engine)[0]

    engine_run(body, files={**BARE, **pyproject(""), "x/_fast.c": ""})


def test_a_compiler_comes_when_pip_looked_for_one(engine_run):
    async def body(engine, project):
        log = "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'\n"
        engine.on("-e", exit_code=1, stderr=log)
        engine.on(".", exit_code=1, stderr=log)
        with pytest.raises(steps.CannotRunError):
            await install.for_tests(project)
        assert "gcc" in apt(engine)[0]

    engine_run(body, files={**BARE, **pyproject("")})


@pytest.mark.parametrize(("more", "given"), [({}, "0.0.1"), ({"PKG-INFO": ""}, None)])
def test_a_version_that_git_would_tell_is_given_where_nothing_else_tells_it(engine_run, more, given):
    async def body(engine, project):
        await install.for_tests(project)
        step = next(s for s in engine.steps if "-e" in s.args)
        assert step.env.get("SETUPTOOLS_SCM_PRETEND_VERSION") == given

    text = (
        "[build-system]\nrequires = ['setuptools', 'setuptools_scm>=8']\n[project]\nname = 'x'\ndynamic = ['version']\n"
    )
    engine_run(body, files={**BARE, "pyproject.toml": text, **more})


PIP_OUT = "Collecting flask==2.0\n  Downloading flask-2.0.whl\nCollecting markupsafe==1.0\n  Downloading markupsafe-1.0.tar.gz\n"
PIP_ERR = (
    "error: subprocess-exited-with-error\n\n\N{MULTIPLICATION SIGN} Getting requirements to build wheel did not run successfully.\n"
    "│ exit code: 1\n╰─> See above for output.\n\n"
    "note: This error originates from a subprocess, and is likely not a problem with pip.\n"
)


def test_a_package_that_does_not_build_is_named(engine_run):
    async def body(engine, project):
        engine.on("install", "requirements.txt", exit_code=1, stdout=PIP_OUT, stderr=PIP_ERR)
        with pytest.raises(steps.CannotRunError) as raised:
            await install.for_tests(project)
        assert raised.value.message.endswith(
            "exited with 1: Getting requirements to build wheel did not run successfully. (markupsafe==1.0)"
        )

    engine_run(body, files={**BARE, "requirements.txt": "flask==2.0\n"})
