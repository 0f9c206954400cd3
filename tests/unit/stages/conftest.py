"""A recording engine and the files of a small project."""

import anyio
import pytest

from sealane.stages import project
from sealane.testing import RecordingEngine

JUNIT = '<testsuites><testsuite name="pytest"><testcase classname="tests.unit.test_a" name="test_one" time="0.1"/></testsuite></testsuites>'
COVERAGE = '<?xml version="1.0" ?>\n<coverage version="7" lines-valid="100" lines-covered="91" branches-valid="0" branches-covered="0"></coverage>'
SARIF = '{"runs": [{"tool": {"driver": {"name": "Semgrep", "rules": []}}, "results": []}]}'
SPDX = """{"creationInfo": {"creators": ["Tool: syft"]}, "packages": [{"SPDXID": "I"}, {"SPDXID": "P"}],
"relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": "I", "relationshipType": "DESCRIBES"}]}"""
LAYOUT = """{"manifest": "", "top": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 9,
"digest": "sha256:0000000000000000000000000000000000000000000000000000000000000001"}}"""
SERVICES = "[tool.sealane.services.postgres]\ndatabase = 'sutazai_test'\n[tool.sealane.services.redis]\n"
FILES = {
    "pyproject.toml": SERVICES,
    "backend/__init__.py": "",
    "backend/app.py": "x = 1\n",
    "requirements.txt": "fastapi\n",
    "requirements-test.txt": "pytest\n",
    ".env.example": "MODE=test\n",
    "tests/unit/test_a.py": "",
    "tests/integration/test_b.py": "",
    "Dockerfile": "FROM python:3.11-slim\nHEALTHCHECK --interval=30s --start-period=40s CMD curl -f http://localhost:8000/health || exit 1\n",
}


@pytest.fixture
def engine_run():
    """Run an async test body inside a recording engine whose tools are content."""

    def run(body, files=FILES, **changes):
        async def main():
            async with RecordingEngine() as engine:
                engine.on_linters()
                engine.on(
                    "pytest", "tests/unit/", files={"/reports/junit-unit.xml": JUNIT, "/reports/coverage.xml": COVERAGE}
                )
                engine.on("pytest", "tests/integration/", files={"/reports/junit-integration.xml": JUNIT})
                for name in ("semgrep", "secrets"):
                    engine.on("semgrep", f"/reports/{name}.sarif", files={f"/reports/{name}.sarif": SARIF})
                engine.on("syft", files={"/reports/sbom.spdx.json": SPDX, "/reports/sbom.cdx.json": "{}"})
                engine.on("/sealane/manifests.py", stdout=LAYOUT)
                engine.on("/sealane/probe.py", stdout="GET /health: 200 ok\n")
                found = await project.read(engine.directory({**files, **changes}))
                return await body(engine, found)

        return anyio.run(main)

    return run
