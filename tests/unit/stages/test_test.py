"""Tests run as unit tests, then as integration tests beside services, and never hide one another."""

from sealane.stages import test
from sealane.stages.result import Outcome

FAILED = """<testsuites><testsuite><testcase classname="tests.unit.test_a" name="test_one"><failure message="assert 1 == 2">def test_one():
tests/unit/test_a.py:3: AssertionError</failure></testcase></testsuite></testsuites>"""


def pytest_steps(engine):
    return [s for s in engine.steps if "pytest" in s.args]


def test_both_suites_run_with_coverage_and_services(engine_run):
    async def body(engine, project):
        result = await test.run(project)
        assert result.outcome is Outcome.RAN, result
        unit, integration = pytest_steps(engine)
        assert unit.args[3:5] == ("tests/unit/", "-v")
        assert {"--cov=backend", "--maxfail=1", "-x", "--junit-xml=/reports/junit-unit.xml"} <= set(unit.args)
        assert {"--cov-append", "--maxfail=3"} <= set(integration.args)
        assert unit.services == ()
        assert integration.services == ("postgres", "redis")
        assert integration.env["DATABASE_URL"] == "postgresql://postgres:test_password@postgres:5432/sutazai_test"
        assert integration.env["REDIS_URL"] == "redis://redis:6379/1"
        assert integration.files["/src/.env.test"] == (
            "MODE=test\nDATABASE_URL=postgresql://postgres:test_password@postgres:5432/sutazai_test\nREDIS_URL=redis://redis:6379/1\n"
        )
        assert result.figures == {"tests": 2, "failed": 0, "coverage": 91.0}
        left = await engine.files(result.report)
        assert {"coverage.xml", "junit-unit.xml", "junit-integration.xml", "pytest-report.xml"} <= set(left)

    engine_run(body)


def test_failed_unit_tests_do_not_stop_integration(engine_run):
    async def body(engine, project):
        engine.on("pytest", "tests/unit/", exit_code=1, files={"/reports/junit-unit.xml": FAILED})
        result = await test.run(project)
        assert len(pytest_steps(engine)) == 2
        assert result.outcome is Outcome.FAILED
        assert result.reason == "unit: 1 of 1 failed"
        assert str(result.tests[0]) == "tests.unit.test_a::test_one (tests/unit/test_a.py:3): assert 1 == 2"

    engine_run(body)


def test_requirements_that_cannot_be_installed_fail_with_pips_log(engine_run):
    async def body(engine, project):
        engine.on(
            "install", "requirements.txt", exit_code=1, stderr="ERROR: No matching distribution found for nope==9\n"
        )
        result = await test.run(project)
        assert result.outcome is Outcome.FAILED
        assert "No matching distribution found for nope==9" in result.notes[0]

    engine_run(body)


def test_no_network_is_not_run(engine_run):
    async def body(engine, project):
        engine.on(
            "install",
            "requirements.txt",
            exit_code=1,
            stderr="NewConnectionError: Temporary failure in name resolution\nERROR: No matching distribution\n",
        )
        result = await test.run(project)
        assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)

    engine_run(body)


def test_a_service_that_never_starts_leaves_the_unit_results(engine_run):
    async def body(engine, project):
        engine.on_service("postgres", "start postgres (aliased as postgres): health check errored")
        result = await test.run(project)
        assert result.outcome is Outcome.FAILED
        assert "could not start beside its services (postgres, redis)" in result.reason
        assert "junit-unit.xml" in await engine.files(result.report)

    engine_run(body)


def test_no_tests_is_not_run(engine_run):
    async def body(_engine, project):
        result = await test.run(project)
        assert (result.outcome, result.reason, result.broken) == (Outcome.NOT_RUN, "no tests", False)

    engine_run(body, files={"a.py": "x = 1"})


def test_nothing_collected_is_not_run(engine_run):
    async def body(engine, project):
        engine.on("pytest", exit_code=5, stdout="no tests ran")
        result = await test.run(project)
        assert (result.outcome, result.reason) == (Outcome.NOT_RUN, "no tests collected")

    engine_run(body, files={"a.py": "x = 1", "tests/test_x.py": ""})


def test_a_package_is_installed_with_its_test_extra(engine_run):
    files = {"pyproject.toml": "[project]\nname='x'\n[project.optional-dependencies]\ntest=['pytest']\ndocs=['sphinx']\n",
             "src/x/__init__.py": "", "tests/test_x.py": ""}  # fmt: skip

    async def body(engine, project):
        engine.on("-e", exit_code=1, stderr="no editable installs here\n")
        await test.run(project)
        installs = [s.args[-1] for s in engine.steps if "install" in s.args]
        assert ".[test]" in installs
        assert "--cov=x" in pytest_steps(engine)[0].args

    engine_run(body, files=files)
