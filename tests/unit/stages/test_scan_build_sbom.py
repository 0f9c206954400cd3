"""What scan, build and sbom ask for, and what they say when it goes wrong."""

import json

from sealane.stages import build, sbom, scan
from sealane.stages.result import Outcome


def sarif(level, uri, line):
    result = {
        "ruleId": "rules.aws-access-key-id",
        "level": level,
        "message": {"text": "an AWS access key"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}],
    }
    return json.dumps({"runs": [{"tool": {"driver": {"name": "Semgrep", "rules": []}}, "results": [result]}]})


def test_a_secret_fails_the_scan_with_its_place(engine_run):
    async def body(engine, project):
        engine.on(
            "semgrep", "/reports/secrets.sarif", files={"/reports/secrets.sarif": sarif("error", "deploy/aws.env", 4)}
        )
        result = await scan.run(project)
        assert result.outcome is Outcome.FAILED
        assert str(result.findings[0]) == "deploy/aws.env:4: an AWS access key [secrets aws-access-key-id]"
        assert {"semgrep.sarif", "secrets.sarif"} <= set(await engine.files(result.report))

    engine_run(body)


def test_secrets_are_looked_for_in_tests_too(engine_run):
    async def body(engine, project):
        await scan.run(project)
        code, secrets = sorted(
            (s for s in engine.steps if "semgrep" in s.args), key=lambda s: "/rules/secrets.yaml" in s.args
        )
        assert "/src/.semgrepignore" not in code.files
        assert "tests" not in secrets.files["/src/.semgrepignore"]
        assert all("--metrics=off" in s.args for s in (code, secrets))

    engine_run(body)


def test_a_scanner_that_cannot_be_installed_is_not_clean(engine_run):
    async def body(engine, project):
        engine.on("/bin/pip", "semgrep==1.182.0", exit_code=1, stderr="Network is unreachable\n")
        result = await scan.run(project)
        assert (result.outcome, result.broken) == (Outcome.NOT_RUN, True)
        assert result.reason.startswith("semgrep can't be installed: no network")

    engine_run(body)


def test_a_scanner_that_breaks_is_not_run(engine_run):
    async def body(engine, project):
        engine.on("semgrep", "/reports/semgrep.sarif", exit_code=2, stderr="boom\n")
        result = await scan.run(project)
        assert (result.outcome, result.broken, result.reason) == (Outcome.NOT_RUN, True, "semgrep exited with 2: boom")

    engine_run(body)


def test_the_image_is_started_beside_its_services_and_asked(engine_run):
    async def body(engine, project):
        result = await build.run(project)
        assert result.outcome is Outcome.RAN, result
        probe = next(s for s in engine.steps if "/sealane/probe.py" in s.args)
        assert probe.args == ("python", "/sealane/probe.py", "app", "8000", "/health", "120")
        assert probe.services == ("app",)
        query = "\n".join(engine.queries)
        assert 'alias: "postgres"' in query
        assert 'startInterval: "1s"' in query
        assert "image.tar" in await engine.files(result.report)

    engine_run(body)


def test_the_image_of_each_platform_is_started(engine_run):
    async def body(engine, project):
        result = await build.run(project)
        assert result.outcome == Outcome.RAN
        assert [note.partition(":")[0] for note in result.notes] == ["linux/amd64", "linux/arm64"]
        assert len(await build.images(project)) == 2

    platforms = '[tool.sealane.build]\nplatforms = ["linux/amd64", "linux/arm64"]\n'
    engine_run(body, **{"pyproject.toml": platforms})


def test_an_image_that_never_becomes_healthy_fails_with_its_log(engine_run):
    async def body(engine, project):
        engine.on_service("app", "start app (aliased as app): exit code: 1")
        engine.on("timeout", exit_code=124, stderr="ImportError: no module named main\n")
        result = await build.run(project)
        assert result.outcome is Outcome.FAILED
        assert "did not become healthy" in result.reason
        assert "ImportError: no module named main" in result.notes[0]

    engine_run(body)


def test_a_dockerfile_that_does_not_build_fails_with_its_log(engine_run):
    async def body(engine, project):
        engine.on_build(exit_code=3, stderr="make: *** no rule\n")
        result = await build.run(project)
        assert result.outcome is Outcome.FAILED
        assert "no rule" in result.reason

    engine_run(body)


def test_no_dockerfile_is_not_run(engine_run):
    async def body(_engine, project):
        assert (await build.run(project)).verdict == "not run (no Dockerfile)"
        assert (await sbom.run(project)).verdict == "not run (no image: no Dockerfile)"

    engine_run(body, files={"a.py": ""})


def test_the_parts_of_the_image_are_listed(engine_run):
    async def body(engine, project):
        result = await sbom.run(project)
        assert result.figures == {"packages": 2}
        assert "sbom.spdx.json" in await engine.files(result.report)

    engine_run(body)
