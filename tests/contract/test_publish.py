"""Images pushed to a real registry by the unmodified client, and read back by skopeo and by our own client."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import dagger
import pytest

from .conftest import Client, session
from .registry import LocalRegistry, local_registry

# "user" with the password "pass-word", as bcrypt
HTPASSWD = "user:$2b$05$BvSJPTt0Mf4L7COjz3DAy.xV8QmkbZSAgTHS9lueYY5xpBuHRlRre"

pytestmark = [pytest.mark.needs("root", "docker-registry", "skopeo"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with local_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with local_registry(tmp_path_factory.mktemp("private"), auth=HTPASSWD) as found:
        yield found


def image(dag: dagger.Client, text: str, platform: str = "linux/amd64") -> dagger.Container:
    files = dag.directory().with_new_file("/data/text", text)
    container = dag.container(platform=dagger.Platform(platform)).with_rootfs(files)
    return container.with_env_variable("SAID", text).with_label("of", "test").with_entrypoint(["/data/run"])


def inspect(ref: str, *options: str) -> dict:
    command = ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{ref}"]
    found: dict = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return found


def test_an_image_is_published_under_its_tag_and_answered_with_its_digest(client: Client, registry: LocalRegistry):
    address = f"{registry.host}/app/one:v1"
    ref = client(lambda dag: image(dag, "one").publish(address))
    assert isinstance(ref, str)
    assert ref.startswith(f"{address}@sha256:")
    found = inspect(address)
    assert ref.endswith(found["Digest"])
    assert found["Env"] == ["SAID=one"]
    assert found["Labels"] == {"of": "test"}


def test_a_service_is_the_registry_of_a_publication_and_of_a_base(client: Client, registry: LocalRegistry):
    """As core/integration/container_test.go has it, TestPublishAndFromWithRegistryServiceBinding."""
    port = int(registry.host.rpartition(":")[2])
    address = "localhost:5999/service/one:v1"

    async def work(dag: dagger.Client) -> object:
        forward = dagger.PortForward(backend=port, frontend=5999)
        service = dag.host().service([forward])
        made = image(dag, "here").with_new_file("/hello.txt", "hello")
        published = await made.publish(address, registry_service=service)
        found = dag.container().from_(published, registry_service=service)
        with pytest.raises(dagger.QueryError, match="not found"):
            await dag.container().from_("localhost:5999/service/none", registry_service=service).sync()
        with pytest.raises(dagger.QueryError, match="localhost:5999"):
            await dag.container().from_(address).sync()
        return published, await found.file("/hello.txt").contents()

    answer = client(work)
    digest = inspect(f"{registry.host}/service/one:v1")["Digest"]
    assert answer == (f"{address}@{digest}", "hello")


def test_an_address_without_a_tag_moves_latest(client: Client, registry: LocalRegistry):
    address = f"{registry.host}/untagged"
    ref = client(lambda dag: image(dag, "latest").publish(address))
    assert ref == f"{address}@{inspect(address + ':latest')['Digest']}"


def test_publishing_again_moves_the_tag(client: Client, registry: LocalRegistry):
    address = f"{registry.host}/moved:v1"
    client(lambda dag: image(dag, "old").publish(address))
    client(lambda dag: image(dag, "new").publish(address))
    assert inspect(address)["Env"] == ["SAID=new"]


def test_the_same_call_is_made_again_when_the_image_is_gone(client: Client, registry: LocalRegistry):
    address = f"{registry.host}/again:v1"

    async def work(dag: dagger.Client) -> object:
        first = await image(dag, "again").publish(address)
        await anyio.run_process(["skopeo", "delete", "--tls-verify=false", f"docker://{address}"])
        return first == await image(dag, "again").publish(address)

    assert client(work) is True
    assert inspect(address)["Env"] == ["SAID=again"]


def test_variants_become_an_index(client: Client, registry: LocalRegistry):
    address = f"{registry.host}/many:v1"

    async def work(dag: dagger.Client) -> object:
        variants = [image(dag, each, f"linux/{each}") for each in ("amd64", "arm64")]
        return await dag.container().publish(address, platform_variants=variants)

    ref = client(work)
    index = inspect(address, "--raw")
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    assert str(ref).startswith(f"{address}@sha256:")
    assert inspect(address, "--override-arch", "arm64")["Env"] == ["SAID=arm64"]


def test_two_variants_of_one_platform_are_refused(client: Client, registry: LocalRegistry):
    async def work(dag: dagger.Client) -> object:
        return await image(dag, "a").publish(f"{registry.host}/twice", platform_variants=[image(dag, "b")])

    with pytest.raises(dagger.QueryError, match="duplicate platform"):
        client(work)


@pytest.mark.parametrize("media_types", list(dagger.ImageMediaTypes))
def test_media_types_are_as_asked(client: Client, registry: LocalRegistry, media_types: dagger.ImageMediaTypes):
    address = f"{registry.host}/media:v1"
    client(lambda dag: image(dag, "media").publish(address, media_types=media_types))
    family = "docker" if "ocker" in media_types.name else "oci"
    raw = inspect(address, "--raw")
    assert f"vnd.{family}." in raw["mediaType"]
    assert f"vnd.{family}." in raw["config"]["mediaType"]


COMPRESSIONS = {"Gzip": "tar+gzip", "Zstd": "tar+zstd", "Uncompressed": "tar"}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_layers_are_compressed_as_asked(client: Client, registry: LocalRegistry, tmp_path: Path, name: str):
    """Source: TestForceCompression of core/integration/container_test.go."""
    address = f"{registry.host}/squeezed:{name.lower()}"
    compression = dagger.ImageLayerCompression[name]

    async def work(dag: dagger.Client) -> object:
        made = image(dag, f"as {name}").with_new_file("/more", "more" * 9000)
        ref = await made.publish(address, forced_compression=compression)
        await made.export(str(tmp_path / "image.tar"), forced_compression=compression)
        back = dag.container().import_(made.as_tarball(forced_compression=compression))
        pulled = dag.container().from_(ref)
        return [await each.file("/data/text").contents() for each in (back, pulled)]

    assert client(work) == [f"as {name}"] * 2
    kinds = {each["mediaType"] for each in inspect(address, "--raw")["layers"]}
    assert kinds == {f"application/vnd.oci.image.layer.v1.{COMPRESSIONS[name]}"}
    copy = ["skopeo", "copy", "-q", f"oci-archive:{tmp_path}/image.tar", f"dir:{tmp_path}/dir"]
    subprocess.run(copy, check=True, capture_output=True)
    exported = json.loads((tmp_path / "dir/manifest.json").read_text())
    assert {each["mediaType"] for each in exported["layers"]} == kinds


def test_zstd_has_a_media_type_of_docker_s(client: Client, registry: LocalRegistry):
    address = f"{registry.host}/squeezed:docker"
    how = {"forced_compression": dagger.ImageLayerCompression.Zstd, "media_types": dagger.ImageMediaTypes.DOCKER}
    client(lambda dag: image(dag, "docker's").publish(address, **how))
    layers = inspect(address, "--raw")["layers"]
    assert {each["mediaType"] for each in layers} == {"application/vnd.docker.image.rootfs.diff.tar.zstd"}


def test_a_compression_that_there_is_not_is_named(client: Client):
    with pytest.raises(dagger.QueryError, match="EStarGZ is not supported"):
        client(lambda dag: image(dag, "x").as_tarball(forced_compression=dagger.ImageLayerCompression.EStarGZ).size())


@pytest.mark.parametrize("compression", [None, dagger.ImageLayerCompression.Zstd])
def test_what_was_published_is_pulled_by_another_engine(
    registry: LocalRegistry, client: Client, tmp_path: Path, compression: dagger.ImageLayerCompression | None
):
    text = "x" * 300_000
    ref = client(
        lambda dag: (
            image(dag, text[:9])
            .with_new_file("/big", text)
            .publish(f"{registry.host}/back:v1", forced_compression=compression)
        )
    )
    home = tmp_path / "home"
    home.mkdir(mode=0o711)
    for folder in (home, *home.parents):
        if folder.stat().st_mode & 0o1 == 0:
            folder.chmod(folder.stat().st_mode | 0o11)

    async def work() -> tuple[int, str]:
        async with dagger.Connection() as dag:
            back = dag.container().from_(str(ref))
            return await back.file("/big").size(), (await back.env_variable("SAID")) or ""

    with session(home, dict(os.environ)) as environ, pytest.MonkeyPatch.context() as patch:
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            patch.setenv(name, environ[name])
        assert anyio.run(work) == (len(text), "xxxxxxxxx")


def test_a_registry_that_wants_a_login_gets_it(client: Client, private: LocalRegistry):
    address = f"{private.host}/mine:v1"

    async def work(dag: dagger.Client) -> object:
        secret = dag.set_secret("registry", "pass-word")
        pushed = image(dag, "mine").with_registry_auth(private.host, "user", secret)
        ref = await pushed.publish(address)
        pulled = dag.container().with_registry_auth(private.host, "user", secret).from_(ref)
        return await pulled.file("/data/text").contents()

    assert client(work) == "mine"
    assert inspect(address, "--creds", "user:pass-word")["Env"] == ["SAID=mine"]


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_registry_that_refuses_says_so(client: Client, private: LocalRegistry, password: str):
    async def work(dag: dagger.Client) -> object:
        made = image(dag, "no")
        if password:
            made = made.with_registry_auth(private.host, "user", dag.set_secret("wrong", password))
        return await made.publish(f"{private.host}/no:v1")

    with pytest.raises(dagger.QueryError, match="answers 401"):
        client(work)


def test_an_image_built_from_packages_here_is_not_published(client: Client, registry: LocalRegistry):
    async def work(dag: dagger.Client) -> object:
        return await dag.container().from_("debian:bookworm-slim").publish(f"{registry.host}/base:v1")

    with pytest.raises(dagger.QueryError, match="its registry never served"):
        client(work)


def test_unless_it_is_allowed_by_name(registry: LocalRegistry, shared_home: Path):
    address = f"{registry.host}/allowed:v1"

    async def work() -> str:
        async with dagger.Connection() as dag:
            return await dag.container().from_("debian:bookworm-slim").with_exec(["touch", "/here"]).publish(address)

    with (
        session(shared_home, dict(os.environ), "--allow", "catalog:*") as environ,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            patch.setenv(name, environ[name])
        ref = anyio.run(work)
    assert ref.endswith(inspect(address)["Digest"])
