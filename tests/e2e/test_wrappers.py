"""Each wrapper before its vendor's validator, or the best one that runs without the vendor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sealane.report.model import FindingRow, RunReport, StageRow
from sealane.vendors import gitlab_reports
from sealane.vendors.render import FILES
from sealane.vendors.shape import WITHOUT_DOCKER

ROOT = Path(__file__).parent.parent.parent
# The newest that pip and go found in November 2026.
TOOLS = (
    "check-jsonschema==0.39.0",
    "zizmor==1.32.0",
    "tree-sitter==0.26.1",
    "tree-sitter-groovy==0.1.2",
    "tree-sitter-kotlin==1.1.0",
    "hera==7.1.0",
    "kubernetes-validate==1.37.0",
)
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
WORKFLOWS = [".github/workflows/main.yml", ".github/workflows/security.yml"]
SCHEMAS = [
    ("github-workflows", WORKFLOWS[0], ()),
    ("github-workflows", WORKFLOWS[1], ()),
    ("gitlab-ci", "ci/vendors/gitlab/.gitlab-ci.yml", ("--data-transform", "gitlab-ci")),
    ("circle-ci", "ci/vendors/circleci/config.yml", ()),
    ("azure-pipelines", "ci/vendors/azure/azure-pipelines.yml", ("--regex-variant", "nonunicode")),
    ("bitbucket-pipelines", "ci/vendors/bitbucket/bitbucket-pipelines.yml", ()),
    ("buildkite", "ci/vendors/buildkite/pipeline.yml", ()),
    ("woodpecker-ci", "ci/vendors/woodpecker/.woodpecker.yml", ()),
    ("codebuild.json", "ci/vendors/codebuild/buildspec.yml", ()),
    ("tekton-pipeline.json", "ci/vendors/tekton/pipeline.yml", ()),
]
GOLDEN = ROOT / "tests/golden/schemas"


def schema_of(name: str) -> tuple[str, str]:
    """A schema that the validator brings along, or one that we keep (its README says whence)."""
    return ("--schemafile", str(GOLDEN / name)) if name.endswith(".json") else ("--builtin-schema", f"vendor.{name}")


pytestmark = pytest.mark.needs("network")


@pytest.fixture(scope="module")
def tools(shared_home: Path) -> Path:
    """The validators, in an environment of their own that outlives the run."""
    place = shared_home / "wrapper-tools"
    wanted = "\n".join(TOOLS)
    done = place / "complete"
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([str(place / "bin/pip"), "install", "--quiet", *TOOLS], check=True)
        done.write_text(wanted)
    return place / "bin"


def ran(*words: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr


SHAPES = [("--split", "--engine", "docker"), ("--engine", "kubernetes"), ("--split",)]


@pytest.fixture(scope="module", params=SHAPES, ids=" ".join)
def shaped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All wrappers that can be had in a shape that this repository doesn't use."""
    place = tmp_path_factory.mktemp("shaped")
    (place / "sealane.toml").write_text(
        'ci.tags = ["v*", "r/1.*"]\nci.command = "ci/sealane"\nci.deploy = "ci/deploy"\n'
    )
    for vendor in FILES:
        words = [word for word in request.param if word != "docker" or vendor not in WITHOUT_DOCKER]
        words = words if words[-1] != "--engine" else words[:-1]
        command = [sys.executable, "-m", "sealane", "ci", "generate", vendor, *words]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "-m", "sealane", "ci", "generate", "github", "--matrix", *request.param, "--overwrite"],
        cwd=place, check=True, capture_output=True,
    )  # fmt: skip
    return place


def test_each_shape_is_what_the_validators_want(tools: Path, shaped: Path):
    for schema, file, options in SCHEMAS:
        ran(str(tools / "check-jsonschema"), *schema_of(schema), *options, file, cwd=shaped)
    ran(str(tools / "zizmor"), "--offline", "--pedantic", "--quiet", *WORKFLOWS, cwd=shaped)
    for script, file in SCRIPTS:
        ran(str(tools / "python"), "-c", script, file, cwd=shaped)


# A Groovy parser finds no error in it.
JENKINS = """
import sys, tree_sitter, tree_sitter_groovy
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
tree = parser.parse(open(sys.argv[1], "rb").read())
sys.exit(tree.root_node.has_error or tree.root_node.named_child_count < 2)
"""
TEAMCITY = JENKINS.replace("groovy", "kotlin")
# Hera's models are made from Argo's schema. They pass over what they don't know, so nothing may get lost on the way.
ARGO = """
import sys, yaml
from hera.workflows.models import WorkflowTemplate
told = yaml.safe_load(open(sys.argv[1]))
read = WorkflowTemplate.model_validate(told).model_dump(by_alias=True, exclude_unset=True, mode="json")
def lost(a, b, at=""):
    if isinstance(a, dict):
        return [hit for key in a for hit in (lost(a[key], b[key], f"{at}.{key}") if key in (b or {}) else [f"{at}.{key}"])]
    if isinstance(a, list):
        return [hit for n, (x, y) in enumerate(zip(a, b)) for hit in lost(x, y, f"{at}[{n}]")]
    return []
sys.exit("\\n".join(lost(told, read)) or None)
"""
# Tekton leaves open in its schema what a task runs: its steps are Kubernetes' containers, as a pod's, and so are their variables.
TEKTON = """
import sys, yaml, kubernetes_validate
told = yaml.safe_load(open(sys.argv[1]))
assert (told["apiVersion"], told["kind"]) == ("tekton.dev/v1", "Pipeline")
names = [task["name"] for task in told["spec"]["tasks"]]
for task in told["spec"]["tasks"]:
    assert set(task) <= {"name", "timeout", "runAfter", "workspaces", "taskSpec"}, task
    assert set(task.get("runAfter", [])) <= set(names), task
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": task["taskSpec"]["steps"]}}
    kubernetes_validate.validate(pod, "1.30", strict=True)
"""
SCRIPTS = [
    (JENKINS, "ci/vendors/jenkins/Jenkinsfile"),
    (TEAMCITY, "ci/vendors/teamcity/settings.kts"),
    (ARGO, "ci/vendors/argo/workflow.yml"),
    (TEKTON, "ci/vendors/tekton/pipeline.yml"),
]


@pytest.mark.parametrize(("script", "file"), SCRIPTS, ids=["jenkins", "teamcity", "argo", "tekton"])
def test_a_wrapper_without_a_schema_of_its_own_is_read(tools: Path, script: str, file: str):
    ran(str(tools / "python"), "-c", script, file)


@pytest.mark.parametrize(("script", "file"), SCRIPTS, ids=["jenkins", "teamcity", "argo", "tekton"])
def test_what_reads_them_finds_what_is_wrong(tools: Path, script: str, file: str, tmp_path: Path):
    wrong = (ROOT / file).read_text().replace("stages {", "stages").replace("workingDir:", "workingdir:")
    wrong = wrong.replace("steps {", "steps")
    (tmp_path / "wrong").write_text(wrong)
    words = [str(tools / "python"), "-c", script, str(tmp_path / "wrong")]
    assert subprocess.run(words, capture_output=True, check=False, cwd=ROOT).returncode != 0


@pytest.mark.parametrize(("schema", "file", "options"), SCHEMAS)
def test_a_wrapper_is_what_its_vendors_schema_wants(tools: Path, schema: str, file: str, options: tuple[str, ...]):
    ran(str(tools / "check-jsonschema"), *schema_of(schema), *options, file)


@pytest.mark.parametrize(
    ("schema", "file", "old", "new"),
    [
        ("codebuild.json", "ci/vendors/codebuild/buildspec.yml", "file-format", "fileformat"),
        (
            "tekton-pipeline.json",
            "ci/vendors/tekton/pipeline.yml",
            "workspaces:\n    - {name",
            "workspaces:\n    - {nam",
        ),
    ],
)
def test_our_schemas_find_what_is_wrong(tools: Path, tmp_path: Path, schema: str, file: str, old: str, new: str):
    text = (ROOT / file).read_text()
    assert old in text
    (tmp_path / "wrong.yml").write_text(text.replace(old, new))
    words = [str(tools / "check-jsonschema"), *schema_of(schema), str(tmp_path / "wrong.yml")]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0


def test_gitlab_takes_the_security_reports_whatever_was_found(tools: Path, tmp_path: Path):
    """A report with one field amiss is refused whole."""
    found = [
        FindingRow(tool="bandit", rule="B602", severity="high", message="shell", file="a.py", line=2),
        FindingRow(tool="semgrep", severity="low", message="m" * 300, file="a.py", fix="f" * 8000),
        FindingRow(tool="gitleaks", rule="aws", severity="high", message="a key", file="b.py"),
        FindingRow(tool="pip-audit", rule="CVE-1", severity="high", message="jinja2 2.0: escapes"),
    ]
    image = [
        FindingRow(tool="trivy", rule="CVE-2", severity="medium", message="zlib1g 1.2: overflows", file="x (debian)")
    ]
    stages = [
        StageRow(name=name, outcome="ran", passed=False, seconds=1, findings=findings)
        for name, findings in (("scan", found), ("image-scan", image))
    ]
    report = RunReport(passed=False, started="2026-11-26T02:00:00.000+00:00", seconds=1, stages=stages, gates=[])
    gitlab_reports.write(report, tmp_path, gitlab_reports.Subject("."))
    reports = sorted(tmp_path.glob("gl-*-report.json"))
    reports.remove(tmp_path / "gl-code-quality-report.json")
    assert len(reports) == 4
    assert all('"identifiers"' in each.read_text() for each in reports)
    ran(str(tools / "check-jsonschema"), *schema_of("gitlab-security.json"), *map(str, reports))


def test_zizmor_finds_nothing_in_githubs(tools: Path):
    ran(str(tools / "zizmor"), "--offline", "--pedantic", "--quiet", *WORKFLOWS)


def test_zizmor_finds_what_is_wrong(tools: Path, tmp_path: Path):
    bad = (ROOT / WORKFLOWS[0]).read_text().replace("permissions: {}", "permissions: write-all")
    (tmp_path / "main.yml").write_text(bad)
    words = [str(tools / "zizmor"), "--offline", "--pedantic", "--quiet", str(tmp_path / "main.yml")]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0


@pytest.mark.needs("go")
def test_actionlint_finds_nothing_in_githubs(shared_home: Path):
    program = shared_home / "wrapper-tools-go/actionlint"
    if not program.exists():
        go = shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin")
        environ = {**os.environ, "GOBIN": str(program.parent)}
        subprocess.run([str(go), "install", ACTIONLINT], env=environ, check=True, capture_output=True)
    ran(str(program), "-shellcheck=", *WORKFLOWS)
