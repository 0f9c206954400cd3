"""Lint, test and scan over what changed: what each tool is told, which findings count, and what the notes say."""

import json
from dataclasses import replace

from sealane.stages import lint, scan, test
from sealane.stages.affected import Tests
from sealane.stages.changes import Changes
from sealane.stages.result import Outcome
from sealane.stages.scanners import narrow

MORE = {"backend/other.py": "y = 1\n", "tests/unit/test_c.py": ""}
SARIF = {
    "runs": [
        {
            "tool": {"driver": {"name": "Semgrep", "rules": []}},
            "results": [
                {
                    "ruleId": "rule",
                    "level": "warning",
                    "message": {"text": "said"},
                    "locations": [
                        {"physicalLocation": {"artifactLocation": {"uri": name}, "region": {"startLine": 1}}}
                    ],
                }
                for name in ("backend/app.py", ".semgrepignore")
            ],
        }
    ]
}


TOOLS = {"black", "bandit", "flake8", "hadolint", "lizard", "mypy", "pylint"}


def told(engine):
    """What each linter was told, whatever bounds it in time."""
    return {word: s.args[at + 1 :] for s in engine.steps for at, word in enumerate(s.args) if word in TOOLS}


def changed(project, *files, **more):
    return replace(project, changes=Changes("main", "1" * 40, frozenset(files), **more))


def test_linters_are_told_what_changed_and_what_they_say_of_the_rest_is_left_out(engine_run):
    async def body(engine, project):
        engine.on(
            "mypy", exit_code=1, stdout="backend/app.py:7: error: wrong  [a]\nbackend/other.py:1: error: old  [a]\n"
        )
        result = await lint.run(changed(project, "backend/app.py"))
        commands = told(engine)
        assert "backend/app.py" in commands["flake8"]
        assert "." not in commands["flake8"]
        assert commands["bandit"][-2:] == ("-r", "backend/app.py")
        assert commands["pylint"][-1] == "backend/app.py"
        assert "backend" in commands["mypy"], "it follows imports"
        assert "hadolint" not in commands
        assert [f.file for f in result.findings] == ["backend/app.py"]
        assert result.notes[0].startswith("narrowed: to the 1 files that changed since main (111111111111)")
        assert "duplication" not in result.figures, "a share of all lines"
        assert "complexity.cyclomatic" in result.figures

    engine_run(body, **MORE)


def test_a_tool_whose_findings_are_all_elsewhere_is_clean(engine_run):
    async def body(engine, project):
        engine.on("mypy", exit_code=1, stdout="backend/other.py:1: error: old  [a]\n")
        result = await lint.run(changed(project, "backend/app.py"))
        assert (result.outcome, result.findings) == (Outcome.RAN, ())
        assert any(note.startswith("clean: ") and "mypy" in note for note in result.notes)

    engine_run(body, **MORE)


def test_a_tool_that_breaks_down_still_says_so(engine_run):
    async def body(engine, project):
        engine.on("flake8", exit_code=2, stderr="flake8: bad plugin\n")
        result = await lint.run(changed(project, "backend/app.py"))
        assert result.outcome is Outcome.FAILED
        assert "bad plugin" in result.findings[0].message

    engine_run(body, **MORE)


def test_tools_of_own_code_have_nothing_to_do_when_tests_changed(engine_run):
    async def body(engine, project):
        await lint.run(changed(project, "tests/unit/test_c.py"))
        assert "bandit" not in told(engine)
        assert "tests/unit/test_c.py" in told(engine)["flake8"]
        assert await lint.nothing_to_do(changed(project, "notes.bin")) == "no file changed that a linter looks at"

    engine_run(body, **MORE)


def test_changed_settings_widen_lint_and_say_so(engine_run):
    async def body(engine, project):
        result = await lint.run(changed(project, "pyproject.toml", settings="pyproject.toml changed"))
        commands = told(engine)
        assert "." in commands["flake8"]
        assert "hadolint" in commands
        assert result.notes[0] == "not narrowed: pyproject.toml changed"

    engine_run(body, **MORE)


def test_only_concerned_tests_run_and_no_coverage_is_taken_of_them(engine_run):
    async def body(engine, project):
        tests = Tests(files=frozenset({"tests/unit/test_c.py"}))
        result = await test.run(changed(project, "tests/unit/test_c.py", tests=tests))
        (command,) = [s.args for s in engine.steps if "pytest" in s.args]
        assert "tests/unit/test_c.py" in command
        assert "tests/unit/" not in command
        assert "--no-cov" in command
        assert "coverage" not in result.figures
        assert any(note.startswith("narrowed: 1 of 3 test files") for note in result.notes)

    engine_run(body, **MORE)


def test_no_concerned_test_is_no_failure(engine_run):
    async def body(_engine, project):
        result = await test.run(changed(project, "README.md"))
        assert (result.outcome, result.broken) == (Outcome.NOT_RUN, False)
        assert result.reason == "no test is concerned by what changed"

    engine_run(body)


def test_all_tests_run_and_are_measured_when_nobody_can_tell(engine_run):
    async def body(engine, project):
        result = await test.run(changed(project, "x.json", tests=Tests("x.json changed")))
        assert [a for s in engine.steps if "pytest" in s.args for a in s.args if a.startswith("--cov=")]
        assert "not narrowed: x.json changed" in result.notes
        assert result.figures["coverage"] == 91.0

    engine_run(body)


def test_scanners_get_the_changed_files_alone(engine_run):
    async def body(engine, project):
        for name in ("semgrep", "secrets"):
            engine.on(f"/reports/{name}.sarif", files={f"/reports/{name}.sarif": json.dumps(SARIF)})
        result = await scan.run(changed(project, "backend/app.py"))
        looked = [s for s in engine.steps if "scan" in s.args]
        seen = {path for step in looked for path in step.files if path.startswith("/src/")}
        assert {"/src/backend/app.py", "/src/.semgrepignore"} <= seen
        assert "/src/backend/other.py" not in seen
        assert {finding.file for finding in result.findings} == {"backend/app.py"}
        assert "nothing to scan: dependencies: no requirement or lock file changed" in result.notes

    engine_run(body, **MORE, **{".semgrepignore": "x\n"})


def test_manifests_that_changed_are_audited(engine_run):
    async def body(_engine, project):
        narrowed = changed(project, "requirements.txt")
        assert narrow.idle("dependencies", narrowed) == ""
        assert narrow.idle("npm-audit", changed(project, "backend/app.py")) == "no requirement or lock file changed"
        assert narrow.idle("semgrep", changed(project)) == "no file changed that is still there"

    engine_run(body)
