"""One Dockerfile for two platforms: built in one call, both started, pushed as one index, and read back by others."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import dagger
import pytest

from .conftest import session
from .registry import LocalRegistry, local_registry

pytestmark = [
    pytest.mark.needs("root", "network", "docker-registry", "skopeo", "qemu"),
    pytest.mark.timeout(900),
]

PLATFORMS = ("linux/amd64", "linux/arm64")

# The first stage runs on the builder's own platform, whatever is built for.
DOCKERFILE = """
FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS maker
ARG TARGETARCH
RUN mkdir /made && echo "for $TARGETARCH on $(uname -m)" > /made/note
FROM debian:bookworm-slim
RUN uname -m > /native && useradd --create-home app
COPY --from=maker /made/ /made/
EXPOSE 8000
HEALTHCHECK --interval=1s CMD test -e /tmp/ready
CMD ["sh", "-c", "touch /tmp/ready; exec sleep 600"]
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with local_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def published(shared_home: Path, registry: LocalRegistry) -> dict[str, Any]:
    """What the images said, and where they were pushed to."""

    async def work() -> dict[str, Any]:
        async with dagger.Connection() as dag:
            source = dag.directory().with_new_file("Dockerfile", DOCKERFILE)
            images = [source.docker_build(platform=dagger.Platform(each)) for each in PLATFORMS]
            said = [[await each.file(name).contents() for name in ("/made/note", "/native")] for each in images]
            for image in images:
                service = image.as_service(use_entrypoint=True)
                await service.start()  # answers when its health check has passed
                await service.stop()
            annotated = [each.with_annotation("org.opencontainers.image.title", "both") for each in images]
            address = f"{registry.host}/both:v1"
            ref = await dag.container().publish(address, platform_variants=annotated)
        return {"said": said, "address": address, "digest": ref.partition("@")[2]}

    options = ("--allow", "catalog:*")
    with session(shared_home, dict(os.environ), *options) as environ, pytest.MonkeyPatch.context() as patch:
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            patch.setenv(name, environ[name])
        return anyio.run(work)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_image_is_of_its_platform_and_its_first_stage_of_the_builders(published):
    amd64, arm64 = published["said"]
    assert amd64 == ["for amd64 on x86_64\n", "x86_64\n"]
    assert arm64 == ["for arm64 on x86_64\n", "aarch64\n"]


def test_skopeo_pulls_the_index_that_was_pushed(published, tmp_path: Path):
    source = f"docker://{published['address']}"
    raw = run("skopeo", "inspect", "--tls-verify=false", "--raw", source)
    index = json.loads(raw)
    assert [each["platform"] for each in index["manifests"]] == [
        {"architecture": each.rpartition("/")[2], "os": "linux"} for each in PLATFORMS
    ]
    assert index["annotations"] == {"org.opencontainers.image.title": "both"}
    run("skopeo", "copy", "--all", "--src-tls-verify=false", source, f"oci:{tmp_path}/layout:v1")
    for platform in PLATFORMS:
        architecture = platform.rpartition("/")[2]
        said = run(
            "skopeo", "--override-arch", architecture, "inspect", "--tls-verify=false", "--config", "--raw", source
        )
        config = json.loads(said)
        assert config["architecture"] == architecture
        assert config["created"] == "1980-01-01T00:00:00Z"
        assert config["config"]["Healthcheck"]["Test"] == ["CMD-SHELL", "test -e /tmp/ready"]


@pytest.mark.needs("umoci")
def test_umoci_unpacks_it(published, tmp_path: Path):
    copy = ("skopeo", "--override-arch", "arm64", "copy", "--src-tls-verify=false")
    run(*copy, f"docker://{published['address']}", f"oci:{tmp_path}/layout:v1")
    run("umoci", "unpack", "--image", f"{tmp_path}/layout:v1", f"{tmp_path}/bundle")
    assert (tmp_path / "bundle/rootfs/native").read_text() == "aarch64\n"


@pytest.mark.needs("crane")
def test_the_index_is_valid_crane(published):
    run("crane", "validate", "--insecure", "--remote", published["address"])
    assert run("crane", "digest", "--insecure", published["address"]).strip() == published["digest"]
