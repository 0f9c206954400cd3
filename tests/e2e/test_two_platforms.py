"""The sample's own Dockerfile for two platforms in one call: both start, others read the index, each list is exact."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..contract.registry import local_registry  # noqa: TID252 - tests are no package
from . import sboms
from .conftest import copy_sample
from .desk import Desk
from .docker import docker

pytestmark = [
    pytest.mark.needs("root", "network", "docker-registry", "skopeo", "qemu"),
    pytest.mark.timeout(1800),  # the second platform's packages are installed by an emulated apt and pip
]

ELF_MACHINES = {"amd64": 62, "arm64": 183}
PLATFORMS = tuple(f"linux/{name}" for name in ELF_MACHINES)
_IMPORT = """\
import getpass, os
from backend.app import create_app
print(getpass.getuser(), os.getppid(), os.getcwd(), type(create_app()).__name__)
"""
SETTINGS = """\
[tool.sealane]
stages = ["build", "sbom"]
[tool.sealane.services.postgres]
database = "sutazai_test"
[tool.sealane.services.redis]
[tool.sealane.build]
platforms = {platforms}
health = "/health"
port = 8000
"""


@dataclass(frozen=True)
class Published:
    desk: Desk
    address: str
    tested: str
    """What `build test` has printed."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Published]:
    project = copy_sample(tmp_path_factory.mktemp("work") / "sutazai")
    (project / "pyproject.toml").write_text(SETTINGS.format(platforms=list(PLATFORMS)))
    with local_registry(tmp_path_factory.mktemp("registry")) as registry:
        desk = Desk.made(project, registry, environ)
        tested = desk.call("build", "test")
        assert tested.returncode == 0, tested.stderr[-3000:]
        done = desk.publish("owner/sample")
        assert done.returncode == 0, done.stderr[-3000:]
        yield Published(desk, done.stdout.strip(), tested.stdout)


@pytest.fixture(scope="module")
def layout(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What skopeo has pulled: an OCI layout with both platforms."""
    folder = tmp_path_factory.mktemp("pulled") / "layout"
    words = ["skopeo", "copy", "--all", "--src-tls-verify=false"]
    subprocess.run([*words, f"docker://{published.address}", f"oci:{folder}:both"], check=True, capture_output=True)
    return folder


def test_both_start_and_pass_their_health_check(published: Published):
    lines = published.tested.splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(PLATFORMS)
    assert [line for line in lines if "started and healthy" not in line] == []


def test_skopeo_pulls_both(published: Published, layout: Path):
    top = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    assert published.address.endswith(top)
    index = json.loads((layout / "blobs" / top.replace(":", "/")).read_text())
    assert [f"{each['platform']['os']}/{each['platform']['architecture']}" for each in index["manifests"]] == list(
        PLATFORMS
    )


@pytest.mark.needs("crane")
def test_crane_pulls_and_validates_both_crane(published: Published, tmp_path: Path):
    remote = ["crane", "validate", "--insecure", "--remote", published.address]
    assert subprocess.run(remote, check=False, capture_output=True, text=True).stderr == ""
    pull = ["crane", "pull", "--insecure", "--format=oci", published.address, str(tmp_path / "layout")]
    subprocess.run(pull, check=True, capture_output=True)
    assert published.address.endswith(
        json.loads((tmp_path / "layout/index.json").read_text())["manifests"][0]["digest"]
    )


@pytest.mark.needs("umoci")
@pytest.mark.parametrize("architecture", ELF_MACHINES)
def test_umoci_unpacks_each(published: Published, tmp_path: Path, architecture: str):
    words = ["skopeo", "--override-arch", architecture, "copy", "--src-tls-verify=false"]
    one = f"{tmp_path}/layout:one"
    subprocess.run([*words, f"docker://{published.address}", f"oci:{one}"], check=True, capture_output=True)
    subprocess.run(["umoci", "unpack", "--image", one, str(tmp_path / "bundle")], check=True, capture_output=True)
    root = tmp_path / "bundle/rootfs"
    assert (root / "app/main.py").read_bytes() == (published.desk.project / "main.py").read_bytes()
    header = (root / "usr/bin/dumb-init").read_bytes()[:20]
    assert (header[:4], int.from_bytes(header[18:], "little")) == (b"\x7fELF", ELF_MACHINES[architecture])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_lists_are_valid_and_name_exactly_what_the_image_says_it_has(
    published: Published, validators: Path, tmp_path: Path, platform: str
):
    spdx, cyclonedx = tmp_path / "image.spdx.json", tmp_path / "image.cdx.json"
    for file, words in ((spdx, ()), (cyclonedx, ("--cyclonedx",))):
        done = published.desk.call("build", "sbom", "--platform", platform, *words, "-o", str(file))
        assert done.returncode == 0, done.stderr[-3000:]
    sboms.must_be_valid(validators, spdx, cyclonedx)
    for kind, command in sboms.ASKED.items():
        found = sboms.said(in_image(published, platform, command))
        assert len(found) > 20
        assert sboms.named(spdx, kind) == found


def in_image(published: Published, platform: str, command: tuple[str, ...]) -> str:
    """What a command prints in the image of a platform, pulled by us."""
    document = """query($p: Platform!, $a: String!, $c: [String!]!) {
        container(platform: $p) { from(address: $a) { withExec(args: $c) { stdout } } }
    }"""
    given = json.dumps({"p": platform, "a": published.address, "c": command})
    done = subprocess.run(
        ["sealane", "--silent", "query", "--no-mod", "--var-json", given],
        env=published.desk.environ, input=document, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: str = json.loads(done.stdout)["container"]["from"]["withExec"]["stdout"]
    return answer


@pytest.mark.needs("docker")
def test_the_tarball_of_one_platform_is_loaded_and_run_by_docker(published: Published, tmp_path: Path):
    archive = tmp_path / "image.tar"
    done = published.desk.call("build", "tarball", "--platform", "linux/amd64", "-o", str(archive))
    assert done.returncode == 0, done.stderr[-3000:]
    with docker(tmp_path) as run:
        image = run("load", "--quiet", "--input", str(archive)).rpartition("Loaded image ID: ")[2]
        # It wants its databases to serve; that it is healthy with them, `build test` has said.
        said = run("run", "--rm", "--network", "none", image, "python", "-c", _IMPORT)
        assert said == "sutazai 1 /app FastAPI"
        health = json.loads(run("inspect", image))[0]["Config"]["Healthcheck"]
        assert health["Test"] == ["CMD-SHELL", "curl -f http://localhost:8000/health || exit 1"]


def test_a_platform_that_it_is_not_built_for_is_refused(published: Published, tmp_path: Path):
    done = published.desk.call("build", "tarball", "--platform", "linux/s390x", "-o", str(tmp_path / "image.tar"))
    assert done.returncode != 0
    assert "not built for linux/s390x" in done.stderr
    assert "It is for linux/amd64, linux/arm64" in done.stderr
