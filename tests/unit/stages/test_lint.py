"""Lint runs every tool to its end and tells what each found."""

from itertools import pairwise

from sealane.findings import Severity
from sealane.stages import lint
from sealane.stages.result import Outcome


def test_all_tools_run_with_the_configured_arguments(engine_run):
    async def body(engine, project):
        result = await lint.run(project)
        assert result.outcome is Outcome.RAN
        commands = {s.args[4]: s.args[5:] for s in engine.steps if s.args[:4] == ("timeout", "-k", "10", "900")}
        assert not {"actionlint", "zizmor", "shellcheck", "eslint", "prettier"} & set(commands), "nothing to look at"
        assert commands["black"] == ("--check", "--diff", ".")
        assert commands["flake8"][1:] == (".", "--count", "--select=E9,F63,F7,F82", "--show-source", "--statistics")
        assert commands["bandit"] == ("-f", "json", "-o", "/reports/bandit-report.json", "-r", "backend")
        assert commands["pylint"][-1] == "backend"
        assert commands["hadolint"][-1] == "Dockerfile"
        assert commands["mypy"][-3:] == ("backend", "--no-warn-unused-ignores", "--ignore-missing-imports")
        assert "--no-pretty" in commands["mypy"], "a project may have settings for eyes, which can't be read"
        assert "bandit-report.json" in await engine.files(result.report)

    engine_run(body)


def test_a_failing_tool_hides_no_other(engine_run):
    async def body(engine, project):
        engine.on("black", exit_code=1, stderr="would reformat /src/backend/app.py\n",
                  stdout="--- /src/backend/app.py\t2026\n+++ x\n@@ -1 +1 @@\n-x=1\n+x = 1\n")  # fmt: skip
        engine.on("mypy", exit_code=1, stdout="backend/app.py:7: error: wrong  [assignment]\n")
        result = await lint.run(project)
        assert result.outcome is Outcome.FAILED
        assert result.reason == "black, mypy"
        assert [str(f) for f in result.findings] == [
            "backend/app.py:1: would be reformatted [black format]",
            "backend/app.py:7: wrong [mypy assignment]",
        ]
        assert {"logs/lint/black.txt", "logs/lint/isort.txt", "bandit-report.json"} <= set(
            await engine.files(result.report)
        )

    engine_run(body)


def test_tools_that_follow_imports_get_what_the_project_declares(engine_run):
    async def body(engine, project):
        await lint.run(project)
        installed = [s.args[4:] for s in engine.steps if s.args[:3] == ("/usr/local/bin/python", "-m", "pip")]
        assert installed == [("-r", "requirements.txt", "httpx>=0.27")]

    engine_run(body, **{"pyproject.toml": "[project]\ndependencies = ['httpx>=0.27']\n"})


def test_what_is_measured_is_neither_minified_nor_others_nor_a_test(engine_run):
    async def body(engine, project):
        await lint.run(project)
        commands = {s.args[4]: s.args[5:] for s in engine.steps if s.args[:4] == ("timeout", "-k", "10", "900")}
        lizard, jscpd = commands["lizard"], commands["jscpd"]
        assert {"*.min.*", "*/vendor/*", "*/tests/*"} <= {b for a, b in pairwise(lizard) if a == "-x"}
        ignored = next(word for word in jscpd if word.startswith("--ignore=")).removeprefix("--ignore=").split(",")
        assert {"**/*.min.*", "**/vendor/**", "**/tests/**"} <= set(ignored)

    engine_run(body, **{"backend/tests/__init__.py": ""})


def test_what_a_tool_says_twice_is_one_finding(engine_run):
    async def body(engine, project):
        engine.on("mypy", exit_code=1, stdout="backend/app.py:7: error: wrong  [assignment]\n" * 2)
        assert len((await lint.run(project)).findings) == 1

    engine_run(body)


def test_a_tool_that_breaks_is_a_failure_with_the_end_of_its_log(engine_run):
    async def body(engine, project):
        engine.on("flake8", exit_code=2, stderr="flake8: bad plugin\n")
        result = await lint.run(project)
        assert result.outcome is Outcome.FAILED
        assert "bad plugin" in result.findings[0].message
        assert result.findings[0].severity is Severity.MEDIUM

    engine_run(body)


def test_mypy_runs_without_requirements_that_cannot_be_installed(engine_run):
    async def body(engine, project):
        engine.on("install", "requirements.txt", exit_code=1, stderr="ERROR: No matching distribution found for x\n")
        result = await lint.run(project)
        assert result.outcome is Outcome.RAN
        assert any("ran without the project's requirements" in note for note in result.notes)

    engine_run(body)


def test_no_files_of_any_linters_is_not_run(engine_run):
    async def body(_engine, project):
        result = await lint.run(project)
        assert (result.outcome, result.reason, result.broken) == (
            Outcome.NOT_RUN,
            "no files that a linter looks at",
            False,
        )

    engine_run(body, files={"README": "x"})


def test_the_frontends_lint_script_runs_on_node(engine_run):
    async def body(engine, project):
        engine.on("npm", "lint", exit_code=1, stdout="src/a.js\n  3:1 error no-undef\n")
        result = await lint.run(project)
        step = next(s for s in engine.steps if s.args == ("npm", "run", "lint"))
        assert step.image == "node:18-slim"
        assert ("npm", "ci") in [s.args for s in engine.steps]
        assert result.outcome is Outcome.FAILED
        assert "no-undef" in result.findings[0].message

    engine_run(
        body, **{"frontend/package.json": '{"scripts": {"lint": "eslint ."}}', "frontend/package-lock.json": "{}"}
    )
