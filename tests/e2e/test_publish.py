"""An image published to a real registry: what is attached to it holds before our own verifier, cosign and the validators."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..contract.registry import local_registry  # noqa: TID252 - tests are no package
from . import sboms
from .desk import COMMIT, Desk

DOCKERFILE = """\
FROM python:3.11-slim
ARG VCS_REF
RUN pip install --no-cache-dir --no-deps six==1.17.0
ENV REVISION=$VCS_REF
CMD ["true"]
"""
SETTINGS = """\
[tool.sealane]
stages = ["build", "sbom"]
[tool.sealane.verify]
builder = "urn:sealane:builder:local"
source = "Owner/*"
bases = ["docker.io/library/python:3.11-slim"]
"""

pytestmark = [pytest.mark.needs("root", "network", "docker-registry", "skopeo"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Desk]:
    project = tmp_path_factory.mktemp("parts")
    (project / "Dockerfile").write_text(DOCKERFILE)
    (project / "pyproject.toml").write_text(SETTINGS)
    with local_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield Desk.made(project, registry, environ)


@pytest.fixture(scope="module")
def published(desk: Desk) -> str:
    done = desk.publish("owner/parts")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def lists(desk: Desk, published: str) -> dict[str, Path]:
    """The image's SBOMs by kind, as files."""
    made = {}
    for name, words in (("spdx", ()), ("cyclonedx", ("--cyclonedx",))):
        made[name] = desk.project / f"{name}.json"
        done = desk.call("build", "sbom", *words, "-o", str(made[name]))
        assert done.returncode == 0, done.stderr[-3000:]
    return made


def test_it_has_the_tags_of_its_branch_and_the_digest_that_was_promised(desk: Desk, published: str):
    assert desk.tags("owner/parts") == {"feature-x", "feature-x-0123456"}
    assert published == f"{desk.registry.host}/owner/parts@{desk.call('build', 'digest').stdout.strip()}"
    inspect = ["skopeo", "inspect", "--tls-verify=false", f"docker://{desk.registry.host}/owner/parts:feature-x"]
    found = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)
    assert published.endswith(found["Digest"])
    assert f"REVISION={COMMIT}" in found["Env"]
    assert found["Labels"]["org.opencontainers.image.revision"] == COMMIT
    assert found["Labels"]["org.opencontainers.image.created"] == "2026-09-21T14:13:20Z"


def test_it_verifies_against_the_policy(desk: Desk, published: str):
    done = desk.sealane("verify", published, "--key", "cosign.pub")
    assert done.returncode == 0, done.stderr
    assert "urn:sealane:builder:local" in done.stdout
    done = desk.sealane("verify", published, "--key", "cosign.pub", "--source", "somebody/*")
    assert done.returncode == 1
    assert "source-mismatch" in done.stderr


def test_its_source_makes_it_again_and_a_package_that_moved_is_named(desk: Desk, published: str):
    verify = ("verify", published, "--key", "cosign.pub", "--rebuild")
    done = desk.sealane(*verify)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the source makes the same image" in done.stdout
    dockerfile = desk.project / "Dockerfile"
    dockerfile.write_text(DOCKERFILE.replace("six==1.17.0", "six==1.16.0") + "LABEL more=yes\n")
    try:
        done = desk.sealane(*verify)
    finally:
        dockerfile.write_text(DOCKERFILE)
    assert done.returncode == 1
    assert "the source here makes sha256:" in done.stderr
    assert "package pypi/six: 1.17.0 → 1.16.0" in done.stderr
    assert 'configuration config.Labels.more: none → "yes"' in done.stderr
    assert re.search(r"changed '/\S+/six\.py' \(content", done.stderr), done.stderr[-3000:]


@pytest.mark.needs("cosign")
def test_its_signature_and_provenance_satisfy_cosign(desk: Desk, published: str):
    offline = ["--key", str(desk.project / "cosign.pub"), "--insecure-ignore-tlog=true", published]
    kinds = [["verify-attestation", "--type", kind] for kind in ("slsaprovenance1", "spdxjson", "cyclonedx")]
    for command in (["verify"], *kinds):
        done = subprocess.run(
            ["cosign", *command, *offline], env=desk.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.needs("cosign")
def test_a_key_made_by_cosign_signs_with_its_password_cosign(desk: Desk, tmp_path: Path):
    environ = {**desk.environ, "COSIGN_PASSWORD": "pass-word"}
    subprocess.run(["cosign", "generate-key-pair"], cwd=tmp_path, env=environ, check=True, capture_output=True)
    password = tmp_path / "password"
    password.write_text("pass-word")
    done = desk.publish("owner/own", "--key", f"file:{tmp_path}/cosign.key", "--key-password", f"file:{password}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert desk.sealane("verify", done.stdout.strip(), "--key", str(tmp_path / "cosign.pub")).returncode == 0


def test_every_material_has_a_digest(desk: Desk, published: str):
    done = desk.sealane("verify", published, "--key", "cosign.pub", "--json")
    assert json.loads(done.stdout)["source"] == f"Owner/Parts@{COMMIT}"


def test_the_sboms_are_valid_for_the_public_validators(lists: dict[str, Path], validators: Path):
    sboms.must_be_valid(validators, lists["spdx"], lists["cyclonedx"])


def test_the_sbom_names_the_packages_that_are_in_the_image(desk: Desk, lists: dict[str, Path]):
    packages = {(p["name"].lower(), p["versionInfo"]) for p in json.loads(lists["spdx"].read_text())["packages"]}
    of_debian = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n"]
    done = desk.call("image", "with-exec", "--args", ",".join(of_debian), "stdout")
    installed = {tuple(line.split(" ", 1)) for line in done.stdout.splitlines() if line}
    assert len(installed) > 50
    assert installed - packages == set()
    of_python = desk.call(
        "image", "with-exec", "--args", "pip,list,--format=json,--disable-pip-version-check", "stdout"
    )
    listed = {(each["name"].lower(), each["version"]) for each in json.loads(of_python.stdout)}
    assert ("six", "1.17.0") in listed
    assert listed - packages == set()


def test_a_failed_gate_publishes_nothing(desk: Desk):
    settings = desk.project / "pyproject.toml"
    settings.write_text(SETTINGS + '[tool.sealane.gates.figures]\n"image bytes" = {maximum = 1}\n')
    try:
        done = desk.publish("refused/gate")
    finally:
        settings.write_text(SETTINGS)
    assert done.returncode != 0
    assert "nothing was pushed" in done.stderr
    assert desk.tags("refused/gate") == set()


def test_an_image_on_a_base_from_the_catalog_is_neither_published_nor_signed(desk: Desk):
    done = desk.publish("refused/catalog", allow="")
    assert done.returncode != 0
    assert "SEALANE_ALLOW=catalog:" in done.stderr
    assert not (desk.registry.folder / "data/docker/registry/v2/repositories/refused/catalog/_manifests").exists()
