"""Tests run as unit tests, then as integration tests beside services, and never hide one another."""

import json
from dataclasses import replace

import anyio
import pytest

from sealane.config import Config
from sealane.config.read import load
from sealane.errors import ConfigError
from sealane.findings import TestOutcome
from sealane.stages import test
from sealane.stages.result import Outcome
from sealane.stages.test import matrix

from .conftest import JUNIT, SERVICES

FAILED = """<testsuites><testsuite><testcase classname="tests.unit.test_a" name="test_one"><failure message="assert 1 == 2">def test_one():
tests/unit/test_a.py:3: AssertionError</failure></testcase></testsuite></testsuites>"""


def pytest_steps(engine):
    return [s for s in engine.steps if "pytest" in s.args]


def after_pytest(step):
    return step.args[step.args.index("pytest") + 1 :]


def test_both_suites_run_with_coverage_and_services(engine_run):
    async def body(engine, project):
        result = await test.run(project)
        assert result.outcome is Outcome.RAN, result
        unit, integration = pytest_steps(engine)
        assert after_pytest(unit)[:2] == ("tests/unit/", "-v")
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


MATRIX = SERVICES + "[tool.sealane.test.matrix]\npython = ['3.9', '3.11']\nsystem = ['linux', 'macos']\n"


def test_a_matrix_runs_every_row_beside_services_of_its_own_and_covers_one(engine_run):
    async def body(engine, project):
        for name in ("unit-python-3.9", "integration-python-3.9"):
            engine.on("pytest", f"--junit-xml=/reports/junit-{name}.xml", files={f"/reports/junit-{name}.xml": JUNIT})
        result = await test.run(project)
        assert result.outcome is Outcome.RAN, result
        covered = [s for s in pytest_steps(engine) if "--cov=backend" in s.args]
        assert len(pytest_steps(engine)) == 4
        assert [s.image for s in covered] == ["python:3.11-slim"] * 2
        assert {s.env["COVERAGE_FILE"] for s in pytest_steps(engine) if s not in covered} == {"/tmp/.coverage"}
        assert list(dict.fromkeys(t.suite for t in result.tests)) == [
            "unit (python 3.9)", "integration (python 3.9)", "unit (python 3.11)", "integration (python 3.11)",
            "unit (macos)", "integration (macos)",
        ]  # fmt: skip
        missing = [t for t in result.tests if t.outcome is TestOutcome.NOT_RUN]
        assert [t.suite for t in missing] == ["unit (macos)", "integration (macos)"]
        assert result.figures == {"tests": 4, "failed": 0, "coverage": 91.0}
        left = await engine.files(result.report)
        assert {"junit-unit.xml", "junit-unit-python-3.9.xml", "junit-integration.xml"} <= set(left)

    engine_run(body, **{"pyproject.toml": MATRIX})


def test_a_python_that_cannot_be_had_is_a_row_that_is_not_run(engine_run):
    async def body(engine, project):
        engine.on_image("python:3.10-slim", "failed to resolve image: not found")
        result = await test.run(project)
        assert result.outcome is Outcome.RAN
        assert result.notes == (
            "python 3.10: not run (python:3.10-slim can't be had: failed to resolve image: not found)",
        )
        assert {t.suite for t in result.tests if t.outcome is TestOutcome.NOT_RUN} == {
            "unit (python 3.10)", "integration (python 3.10)",
        }  # fmt: skip

    engine_run(body, **{"pyproject.toml": SERVICES + "[tool.sealane.test.matrix]\npython = ['3.10', '3.11']\n"})


def test_without_a_matrix_only_the_projects_python_runs_and_an_empty_one_is_the_guides():
    assert [row.python for row in matrix.rows(Config())] == ["3.11"]
    rows = matrix.rows(load({"test": {"matrix": {"env": {"STORE": ["a", "b"]}}}}, where="test"))
    assert [(row.label, row.covered) for row in rows][-2:] == [
        ("python 3.11, STORE=a", True), ("python 3.11, STORE=b", False),
    ]  # fmt: skip
    assert [row.python for row in rows] == ["3.9", "3.9", "3.10", "3.10", "3.11", "3.11"]


def test_an_axis_of_images_replaces_a_service(engine_run):
    async def body(engine, project):
        await test.run(project)
        assert len([s for s in pytest_steps(engine) if s.services]) == 2
        assert any('from(address: "postgres:14")' in query for query in engine.queries)

    text = (
        SERVICES + "[tool.sealane.test.matrix]\npython = ['3.11']\nimages.postgres = ['postgres:14', 'postgres:15']\n"
    )
    engine_run(body, **{"pyproject.toml": text})


AGAIN = """<testsuites><testsuite><testcase classname="tests.unit.test_a" name="test_one"/></testsuite></testsuites>"""
RETRIES = SERVICES + "[tool.sealane.test]\nretries = 2\n"


def test_a_test_that_passes_when_tried_again_is_flaky_and_not_passed(engine_run):
    async def body(engine, project):
        engine.on("pytest", "tests/unit/", exit_code=1, files={"/reports/junit-unit.xml": FAILED})
        engine.on("pytest", "tests/unit/", "--last-failed", files={"/reports/junit-unit-retry-1.xml": AGAIN})
        result = await test.run(project)
        assert result.outcome is Outcome.RAN
        assert result.tests[0].outcome is TestOutcome.FLAKY
        assert (result.tests[0].file, result.tests[0].line) == ("tests/unit/test_a.py", 3)
        assert result.figures["flaky"] == 1
        assert result.notes == ("unit: flaky, passed only when tried again: tests.unit.test_a::test_one",)
        unit = [s for s in pytest_steps(engine) if "tests/unit/" in s.args]
        assert [s.args[-1] for s in unit] == ["--maxfail=0", "--cov-append"]
        left = await engine.files(result.report)
        assert "<flakyFailure" in left["junit-unit.xml"]
        assert "<failure" not in left["junit-unit.xml"]

    engine_run(body, **{"pyproject.toml": RETRIES})


def test_a_test_that_fails_every_time_is_tried_as_often_as_asked_and_failed(engine_run):
    async def body(engine, project):
        for name in ("unit", "unit-retry-1", "unit-retry-2"):
            report = f"/reports/junit-{name}.xml"
            engine.on("pytest", f"--junit-xml={report}", exit_code=1, files={report: FAILED})
        result = await test.run(project)
        assert result.reason == "unit: 1 of 1 failed"
        assert len([s for s in pytest_steps(engine) if "tests/unit/" in s.args]) == 3

    engine_run(body, **{"pyproject.toml": RETRIES})


HANGING = """tests/unit/test_a.py::test_one PASSED [ 50%]
tests/unit/test_a.py::TestB::test_two

!!!!!!!!!!!!!!!!!!!!!! KeyboardInterrupt !!!!!!!!!!!!!!!!!!!!!!
/usr/local/lib/python3.11/threading.py:320: KeyboardInterrupt
Timeout (0:00:03)!
Thread 0x00007f3c (most recent call first):
  File "/src/backend/app.py", line 3 in loop
Thread 0x00007f3d (most recent call first):
  File "/usr/local/lib/python3.11/threading.py", line 320 in wait
  File "/src/tests/unit/test_a.py", line 9 in test_two
  File "/usr/local/lib/python3.11/site-packages/_pytest/python.py", line 166 in pytest_pyfunc_call
"""


SENT = "timeout: sending signal INT to command 'python'\n"


def test_permissions_hold_for_the_tests_though_they_run_as_root(engine_run):
    async def body(engine, project):
        await test.run(project)
        for step in pytest_steps(engine):
            assert "--bounding-set=-dac_override,-dac_read_search" in step.args[: step.args.index("pytest")]

    engine_run(body)


def test_a_hanging_test_is_named_with_its_limit_and_what_passed_before_is_kept(engine_run):
    async def body(engine, project):
        engine.on(
            "pytest",
            "tests/unit/",
            exit_code=124,
            stdout=HANGING,
            stderr=SENT,
            files={"/reports/junit-unit.xml": JUNIT},
        )
        result = await test.run(project)
        assert result.outcome is Outcome.FAILED
        assert result.reason == "unit: did not end within 7 s (`test.timeouts.unit`)"
        passed, hanging = result.tests[:2]
        assert passed.outcome is TestOutcome.PASSED
        assert (hanging.name, hanging.file, hanging.line) == (
            "tests.unit.test_a.TestB::test_two", "tests/unit/test_a.py", 9,
        )  # fmt: skip
        assert pytest_steps(engine)[0].args[:7] == ("timeout", "-v", "-s", "INT", "-k", "15", "7")
        assert "junit-integration.xml" in await engine.files(result.report)

    engine_run(body, **{"pyproject.toml": SERVICES + "[tool.sealane.test.timeouts]\nunit = 7\n"})


def test_a_run_that_the_kernel_kills_has_not_reached_its_limit(engine_run):
    async def body(engine, project):
        engine.on("pytest", "tests/unit/", exit_code=137, stdout="collected 2 items\n")
        result = await test.run(project)
        assert result.reason == "unit: pytest exited with 137: collected 2 items"

    engine_run(body)


E2E = {"tests/e2e/test_c.py": "", "tests/performance/locustfile.py": "", "pyproject.toml": SERVICES}
STATS = """Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%
GET,/tasks,90,0,20,21.5,1,60,10,45.0,0.0,20,50
GET,/health,10,2,30,31.5,1,90,10,5.0,1.0,30,80
,Aggregated,100,2,21,22.5,1,90,10,50.0,1.0,21,55
"""


def test_e2e_and_performance_run_on_request_against_the_started_image(engine_run):
    async def body(engine, project):
        await test.run(project)
        assert [after_pytest(s)[0] for s in pytest_steps(engine)] == ["tests/unit/", "tests/integration/"]
        config = project.config.with_categories(["e2e", "performance"])
        engine.steps.clear()
        engine.on("pytest", "tests/e2e/", files={"/reports/junit-e2e.xml": JUNIT})
        engine.on("locust", exit_code=1, files={"/reports/performance_stats.csv": STATS})
        result = await test.run(replace(project, config=config))
        (e2e,) = pytest_steps(engine)
        assert e2e.services == ("postgres", "redis", "application")
        assert e2e.env["BASE_URL"] == "http://application:8000"
        assert not any(arg.startswith("--cov") for arg in e2e.args)
        assert any("chromium" in s.args for s in engine.steps)
        locust = next(s for s in engine.steps if "--headless" in s.args)
        assert {"--host=http://application:8000", "--users=100", "--spawn-rate=10", "--run-time=5m"} <= set(locust.args)
        assert result.figures == {
            "tests": 3, "failed": 1, "response average ms": 22.5, "response p50 ms": 21, "response p95 ms": 55,
            "throughput rps": 50.0, "failures": 2,
        }  # fmt: skip
        assert result.reason == "performance: 1 of 2 kinds of request had failures"
        left = await engine.files(result.report)
        assert json.loads(left["performance-report.json"])["stats"]["avg_response_time"] == 22.5
        assert {"junit-e2e.xml", "performance_stats.csv"} <= set(left)

    engine_run(body, **E2E)


def test_without_an_application_e2e_tests_say_what_to_set(engine_run):
    async def body(_engine, project):
        result = await test.run(replace(project, config=project.config.with_categories(["e2e"])))
        assert result.outcome is Outcome.FAILED
        assert "no Dockerfile, no `test.application.command`" in result.reason

    engine_run(body, files={"a.py": "x = 1", "tests/e2e/test_c.py": ""})


def test_an_unknown_category_is_named():
    with pytest.raises(ConfigError, match="`load`"):
        Config().with_categories(["load"])


def test_any_other_service_is_bound_by_its_alias_and_tells_its_address(engine_run):
    async def body(engine, project):
        await test.run(project)
        integration = pytest_steps(engine)[-1]
        assert integration.services == ("broker",)
        assert integration.env["BROKER_URL"] == "amqp://broker:5672"

    text = "[tool.sealane.services.other.broker]\nimage = 'rabbitmq:3'\nports = [5672]\nurl = 'amqp://{alias}:5672'\nurl-variable = 'BROKER_URL'\nhealth = ['rabbitmq-diagnostics', 'ping']\n"
    engine_run(body, **{"pyproject.toml": text})


def test_at_the_stages_limit_what_was_done_is_reported_and_the_limit_named(engine_run, monkeypatch):
    async def body(engine, project):
        scope = anyio.CancelScope()

        async def for_ever(_project, _found):
            scope.cancel()  # as the clock would
            await anyio.sleep_forever()

        monkeypatch.setattr(anyio, "move_on_after", lambda _seconds: scope)
        monkeypatch.setattr(test.performance, "run", for_ever)
        config = project.config.with_categories(["unit", "integration", "performance"])
        result = await test.run(replace(project, config=config))
        assert result.reason == "stage: stopped at its limit of 9 s (`timeouts.test`)"
        assert [t.suite for t in result.tests] == ["unit", "integration"]
        assert "junit-integration.xml" in await engine.files(result.report)

    engine_run(body, **{**E2E, "pyproject.toml": SERVICES + "[tool.sealane.timeouts]\ntest = 9\n"})
