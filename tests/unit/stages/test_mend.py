"""What the linters' tools mend: their order, what each leaves to the next, and what is kept when one of them fails."""

from dataclasses import replace

import pytest

from sealane.errors import StageFailed
from sealane.stages.changes import Changes
from sealane.stages.lint import mend

NODE = {"frontend/package.json": "{}", "frontend/a.js": "a"}


def test_formatters_mend_last_and_each_sees_what_the_one_before_it_left(engine_run):
    async def body(engine, project):
        engine.on("isort", files={"/src/backend/app.py": "sorted\n"})
        mended = await mend.run(project)
        mending = [s for s in engine.steps if s.args[0].endswith(("isort", "black", "eslint", "prettier"))]
        assert [s.args[0].rsplit("/")[-1] for s in mending] == ["isort", "black", "eslint", "prettier"]
        assert mending[0].args == ("isort", "--profile=black", ".")
        assert mending[1].args == ("black", ".")
        assert mending[1].files["/src/backend/app.py"] == "sorted\n"
        assert "--fix" in mending[2].args
        assert mending[3].args[-2:] == ("--write", ".")
        assert (await engine.files(mended.source))["backend/app.py"] == "sorted\n"
        assert mended.failed == ()

    engine_run(body, **NODE)


def test_ruff_mends_before_it_formats_where_a_project_uses_it(engine_run):
    async def body(engine, project):
        await mend.run(project)
        commands = [s.args for s in engine.steps if s.args[0] in ("ruff", "black", "isort")]
        assert commands == [("ruff", "check", "--output-format=concise", "--fix", "."), ("ruff", "format", ".")]

    engine_run(body, **{"pyproject.toml": "[tool.ruff]\nline-length = 99\n"})


def test_the_arguments_of_the_configuration_hold_when_mending_too(engine_run):
    async def body(engine, project):
        await mend.run(project)
        assert ("black", "-l99", "backend") in [s.args for s in engine.steps]

    config = (
        '[tool.sealane.lint]\ntools = ["black"]\n[tool.sealane.lint.args]\nblack = ["--check", "-l99", "backend"]\n'
    )
    engine_run(body, **{"pyproject.toml": config})


def test_a_tool_that_fails_is_told_and_takes_nothing_of_the_others_along(engine_run, caplog):
    async def body(engine, project):
        engine.on("isort", files={"/src/backend/app.py": "sorted\n"})
        engine.on("black", exit_code=123, stderr="error: cannot format app.py: Cannot parse\n")
        changes = await mend.changes(project)
        assert await engine.files(changes.layer()) == {"backend/app.py": "sorted\n"}
        assert "black: exited with 123: error: cannot format app.py" in caplog.text

    engine_run(body)


def test_what_a_tool_can_not_mend_is_no_failure_of_it(engine_run):
    async def body(engine, project):
        engine.on("eslint", exit_code=1, stdout="[]")
        assert (await mend.run(project)).failed == ()

    engine_run(body, **NODE)


def test_failures_alone_are_not_nothing_to_do(engine_run):
    async def body(engine, project):
        engine.on("black", exit_code=123, stderr="error: cannot format app.py\n")
        with pytest.raises(StageFailed) as caught:
            await mend.changes(project)
        assert caught.value.reason == "not-mended"
        assert "black: exited with 123" in caught.value.message

    engine_run(body)


def test_tools_that_can_not_be_had_are_failures_and_the_others_mend(engine_run):
    async def body(engine, project):
        engine.on("pip", exit_code=1, stderr="Temporary failure in name resolution\n")
        engine.on("prettier", "--write", files={"/frontend/a.js": "a;\n"})
        mended = await mend.run(project)
        assert [each.split(":")[0] for each in mended.failed] == ["isort", "black"]
        assert (await engine.files(mended.source))["frontend/a.js"] == "a;\n"

    engine_run(body, **NODE)


def test_only_what_changed_is_mended_where_lint_is_narrowed_to_that(engine_run):
    async def body(engine, project):
        engine.on("black", files={"/src/backend/app.py": "new\n", "/src/backend/old.py": "new\n"})
        engine.on("prettier", "--write", files={"/frontend/a.js": "a;\n", "/frontend/[b].js": "b;\n"})
        changes = Changes("main", "c0ffee", frozenset({"backend/app.py", "frontend/[b].js"}))
        found = await mend.changes(replace(project, changes=changes))
        assert sorted(await engine.files(found.layer())) == ["backend/app.py", "frontend/[b].js"]

    engine_run(body, **NODE, **{"backend/old.py": "", "frontend/[b].js": "b"})


def test_what_tools_leave_beside_the_files_is_no_change(engine_run):
    async def body(engine, project):
        engine.on("black", files={"/src/.cache/deep/x": "x", "/src/backend/made.py": "x"})
        engine.on(
            "prettier", "--write", files={"/frontend/package-lock.json": "{}", "/frontend/node_modules/m/i.js": ""}
        )
        assert await (await mend.changes(project)).is_empty()

    engine_run(body, **NODE)


def test_a_project_with_nothing_to_mend_has_no_changes(engine_run):
    async def body(engine, project):
        assert await (await mend.changes(project)).is_empty()
        assert engine.steps == []

    engine_run(body, files={"Dockerfile": "FROM scratch\n"})
