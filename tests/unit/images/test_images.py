"""Where an image comes from: the store, then its registry, then the catalog; one download for all who ask."""

import asyncio
import collections
import contextlib
import gzip
import io
import json
import tarfile

import pytest

from sealane_engine.errors import ImageError, InvalidInput, NotFound
from sealane_engine.events import Events
from sealane_engine.images.catalog import index
from sealane_engine.images.catalog.recipe import Recipe
from sealane_engine.images.flight import Flights
from sealane_engine.images.images import Images
from sealane_engine.images.pins import Lock, Pins
from sealane_engine.oci import manifest, reference
from sealane_engine.oci.layout import ImageSpec, write_layout
from sealane_engine.oci.limits import LayerLimits

DIGEST = f"sha256:{'7' * 64}"
CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}}


class Registry:
    """Serves one image of a layout on loopback and counts what it is asked for."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            files = {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}
        self.blobs = {"sha256:" + name[13:]: data for name, data in files.items() if name.startswith("blobs/")}
        self.top = json.loads(files["index.json"])["manifests"][0]["digest"]
        self.asked = collections.Counter()
        self.blob_wanted = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0]
            path = request.split()[1]
            kind, _, name = path.partition("/app/")[2].partition("/")
            self.asked[path] += 1
            if kind == "blobs":
                self.blob_wanted.set()
                await self.gate.wait()
            data = self.blobs.get(self.top if name == "1" else name)
            status = "404 No" if data is None else "200 OK"
            data = data or b"{}"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
            )
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def archive(store, tree, tmp_path):
    path = tmp_path / "image.tar"
    write_layout(store, [ImageSpec(CONFIG, tree, "linux/amd64")], path)
    return path


@pytest.fixture
def events():
    seen = []
    source = Events()
    source.listen(lambda event: seen.append((event.kind, dict(event.data))))
    source.seen = seen
    return source


def run(store, events, archive, action, pinned=None):
    """`pinned`: registry → the pins that hold."""

    async def main():
        async with Registry(archive) as registry:
            images = Images(store, events, pins=pinned(registry) if pinned else None)
            try:
                return await action(images, registry)
            finally:
                await images.close()

    return asyncio.run(main())


def test_an_image_is_pulled_and_then_known(other_store, events, archive, store, tree):
    async def action(images, registry):
        image = await images.resolve(f"{registry.host}/app:1")
        got = await images.unpack(image)
        again = await images.resolve(f"{registry.host}/app:1")
        pinned = await images.resolve(again.ref)
        assert await images.unpack(again) == await images.unpack(pinned) == got
        return image, again, got, registry

    image, again, got, registry = run(other_store, events, archive, action)
    assert (image.origin, again.origin) == ("registry", "store")
    assert image.digest == again.digest == registry.top
    assert image.ref == f"{registry.host}/app:1@{registry.top}"
    assert other_store.view(got).digest("/") == store.view(tree).digest("/")
    assert set(registry.asked.values()) == {1}
    assert [data["origin"] for kind, data in events.seen if kind == "image"] == ["registry", "store", "store"]


def test_eight_who_want_one_image_download_it_once_and_the_first_may_leave(other_store, events, archive):
    async def action(images, registry):
        async def one():
            return await images.unpack(await images.resolve(f"{registry.host}/app:1"))

        registry.gate.clear()
        tasks = [asyncio.create_task(one()) for _ in range(8)]
        await registry.blob_wanted.wait()
        tasks[0].cancel()
        registry.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert len(set(results[1:])) == 1
        return registry

    registry = run(other_store, events, archive, action)
    assert {path: count for path, count in registry.asked.items() if count > 1} == {}


def test_a_lying_blob_leaves_nothing(other_store, events, archive):
    async def action(images, registry):
        body = json.loads(registry.blobs[registry.top])
        digest = body["layers"][0]["digest"]
        registry.blobs[digest] = bytes(len(registry.blobs[digest]))
        with pytest.raises(ImageError) as caught:
            await images.unpack(await images.resolve(f"{registry.host}/app:1"))
        assert caught.value.reason == "digest-mismatch"
        assert not other_store.has_blob(digest)

    run(other_store, events, archive, action)
    assert [result for result in other_store.results() if result.kind == "image-layer"] == []


def test_layers_of_a_foreign_kind_are_refused(other_store, events, archive):
    async def action(images, registry):
        body = json.loads(registry.blobs[registry.top])
        body["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        body["layers"][0]["urls"] = ["http://169.254.169.254/"]
        text = manifest.canonical(body)
        registry.top = manifest.digest(text)
        registry.blobs[registry.top] = text
        with pytest.raises(ImageError) as caught:
            await images.resolve(f"{registry.host}/app:1")
        assert caught.value.reason == "bad-manifest"

    run(other_store, events, archive, action)


def _served_otherwise(registry, change):
    """Serve the image with its manifest and configuration changed, and everything that names them."""
    body = json.loads(registry.blobs[registry.top])
    config = json.loads(registry.blobs[body["config"]["digest"]])
    change(registry, body, config)
    text = manifest.canonical(config)
    registry.blobs[manifest.digest(text)] = text
    if "config" in body:
        body["config"] |= {"digest": manifest.digest(text), "size": len(text)}
    _on_top(registry, body)


def _on_top(registry, body):
    text = manifest.canonical(body)
    registry.top = manifest.digest(text)
    registry.blobs[registry.top] = text


def _nest(registry, body, _config):
    for _ in range(9):
        _on_top(registry, body)
        inner = {"mediaType": body["mediaType"], "digest": registry.top, "size": 1, "platform": PLATFORM}
        body = {"schemaVersion": 2, "mediaType": manifest.MEDIA_INDEX, "manifests": [inner]}
    registry.nested = body


def _bomb(registry, body, config):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member = tarfile.TarInfo("zeros")
        member.size = 8 << 20
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    data = gzip.compress(plain.getvalue())
    registry.blobs[manifest.digest(data)] = data
    body["layers"][0] |= {"digest": manifest.digest(data), "size": len(data), "mediaType": manifest.MEDIA_LAYER_GZIP}
    config["rootfs"]["diff_ids"][0] = manifest.digest(plain.getvalue())


PLATFORM = {"os": "linux", "architecture": "amd64"}
LIES = {
    "another diff id": (lambda _r, _b, config: config["rootfs"]["diff_ids"].reverse(), "diff-id-mismatch"),
    "a larger size": (
        lambda _r, body, _c: body["layers"][0].update(size=body["layers"][0]["size"] + 1),
        "size-mismatch",
    ),
    "a smaller size": (
        lambda _r, body, _c: body["layers"][1].update(size=body["layers"][1]["size"] - 1),
        "size-mismatch",
    ),
    "a layer too many": (lambda _r, body, _c: body["layers"].append(body["layers"][0]), "bad-manifest"),
    "layers that are no list": (lambda _r, body, _c: body.update(layers=7), "bad-manifest"),
    "a layer that is no descriptor": (lambda _r, body, _c: body.update(layers=["x"]), "bad-manifest"),
    "a digest of another kind": (
        lambda _r, body, _c: body["layers"][0].update(digest="sha256:../../x"),
        "bad-manifest",
    ),
    "a configuration of the wrong shape": (
        lambda _r, _b, config: config["config"].update(Entrypoint="sh"),
        "bad-config",
    ),
    "a bomb": (_bomb, "layer-too-large"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_image_that_lies_is_refused_and_leaves_nothing(lie, other_store, events, archive, monkeypatch):
    monkeypatch.setattr("sealane_engine.images.unpack.LayerLimits", lambda: LayerLimits(total_bytes=1 << 20))
    monkeypatch.setattr("sealane_engine.oci.patience.backoff", lambda _attempt: 0.0)
    change, reason = LIES[lie]

    async def action(images, registry):
        _served_otherwise(registry, change)
        with pytest.raises(ImageError) as caught:
            await images.unpack(await images.resolve(f"{registry.host}/app:1"))
        assert caught.value.reason == reason

    run(other_store, events, archive, action)
    assert list((other_store.home / "s").iterdir()) == []
    whole = [result for result in other_store.results() if result.kind == "image-layer"]
    assert len(whole) < 2


def test_indexes_in_indexes_end(other_store, events, archive):
    async def action(images, registry):
        _nest(registry, json.loads(registry.blobs[registry.top]), {})
        _on_top(registry, registry.nested)
        with pytest.raises(ImageError) as caught:
            await images.resolve(f"{registry.host}/app:1")
        assert caught.value.reason == "bad-manifest"

    run(other_store, events, archive, action)


def test_addresses_that_a_manifest_names_are_never_asked(other_store, events, archive):
    async def action(images, registry):
        elsewhere = f"http://{registry.host}/elsewhere"
        _served_otherwise(registry, lambda _r, body, _c: body["layers"][0].update(urls=[elsewhere]))
        await images.unpack(await images.resolve(f"{registry.host}/app:1"))
        assert "/elsewhere" not in registry.asked

    run(other_store, events, archive, action)


def test_an_image_that_a_registry_does_not_have(other_store, events, archive):
    async def action(images, registry):
        with pytest.raises(NotFound) as caught:
            await images.resolve(f"{registry.host}/app:2")
        ref = f"{registry.host}/app:2"
        assert caught.value.message == f'failed to resolve image "{ref}" (platform: "linux/amd64"): {ref}: not found'

    run(other_store, events, archive, action)


def test_an_unreachable_registry_is_asked_once_and_the_catalog_is_named(store, events):
    async def main():
        images = Images(store, events)
        with pytest.raises(NotFound) as caught:
            await images.resolve("127.0.0.1:9/nothing:1")
        await images.close()
        return caught.value

    error = asyncio.run(main())
    assert error.reason == "image-not-found"
    assert "python:3.11-slim" in error.hint
    assert store.memo("registry-down", "127.0.0.1:9")


def test_what_was_pulled_is_used_when_its_registry_is_gone(other_store, events, archive, monkeypatch):
    monkeypatch.setattr("sealane_engine.images.remote.TAG_FRESH_SECONDS", -1.0)

    async def action(images, registry):
        ref = f"{registry.host}/app:1"
        await images.unpack(await images.resolve(ref))
        await registry.__aexit__()
        return await images.resolve(ref)

    assert run(other_store, events, archive, action).origin == "store"


def _with_mirrors(monkeypatch, tmp_path, **registries):
    folder = tmp_path / "config/dagger"
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text(json.dumps({"registries": registries}))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("prefix", ["", "/hub"])
def test_a_mirror_is_asked_before_the_registry(other_store, events, archive, monkeypatch, tmp_path, prefix):
    async def action(images, registry):
        async with Registry(archive) as mirror:
            _with_mirrors(monkeypatch, tmp_path, **{registry.host: {"mirrors": [f"{mirror.host}{prefix}"]}})
            await images.unpack(await images.resolve(f"{registry.host}/app:1"))
            assert mirror.asked[f"/v2{prefix}/app/manifests/1"] == 1
            assert sum(path.startswith(f"/v2{prefix}/app/blobs/") for path in mirror.asked) == 3
            assert not registry.asked

    run(other_store, events, archive, action)


@pytest.mark.parametrize("wrong", ["gone", "lies", "knows nothing"])
def test_a_mirror_that_fails_is_passed_over(other_store, events, archive, monkeypatch, tmp_path, wrong):
    async def action(images, registry):
        async with Registry(archive) as mirror:
            _with_mirrors(monkeypatch, tmp_path, **{registry.host: {"mirrors": [mirror.host]}})
            if wrong == "gone":
                await mirror.__aexit__()
            mirror.blobs = {d: b"{}" for d in mirror.blobs if d != mirror.top} if wrong == "lies" else {}
            image = await images.resolve(f"{registry.host}/app:1")
            await images.unpack(image)
            assert image.digest == registry.top
            assert image.ref.startswith(registry.host)
            assert registry.asked["/v2/app/manifests/1"] == 1

    run(other_store, events, archive, action)


@pytest.mark.parametrize(
    "registries",
    [{"a": 1}, {"a": {"mirror": []}}, {"a": {"mirrors": "b"}}, {"a": {"mirrors": [1]}}, {"a": {"http": "yes"}}],
)
def test_settings_of_registries_that_make_no_sense_are_named(
    other_store, events, archive, monkeypatch, tmp_path, registries
):
    _with_mirrors(monkeypatch, tmp_path, **registries)

    async def action(images, registry):
        with pytest.raises(InvalidInput) as caught:
            await images.resolve(f"{registry.host}/app:1")
        assert caught.value.reason == "bad-engine-config"
        assert "engine.json: `registries.a" in caught.value.message

    run(other_store, events, archive, action)


def _pins(mode, digest=None, **catalog):
    def made(registry):
        images = {"linux/amd64": {f"{registry.host}/app:1": digest or registry.top}}
        return Pins(Lock(images, {"linux/amd64": catalog}).text().encode(), mode)

    return made


@pytest.mark.parametrize("mode", ["pinned", "frozen"])
def test_a_pinned_image_stays_when_its_tag_moves(other_store, events, archive, mode):
    async def action(images, registry):
        pinned = registry.top
        body = {**json.loads(registry.blobs[pinned]), "annotations": {"moved": "yes"}}
        registry.top = manifest.digest(json.dumps(body).encode())
        registry.blobs[registry.top] = json.dumps(body).encode()
        assert (await images.resolve(f"{registry.host}/app:1")).digest == pinned
        assert registry.asked[f"/v2/app/manifests/{pinned}"] == 1
        assert registry.asked["/v2/app/manifests/1"] == 0

    run(other_store, events, archive, action, _pins(mode))


def test_frozen_refuses_another_image_and_asks_nobody(other_store, events, archive):
    async def action(images, registry):
        with pytest.raises(ImageError) as caught:
            await images.resolve(f"{registry.host}/app:2")
        assert caught.value.reason == "not-locked"
        assert not registry.asked

    run(other_store, events, archive, action, _pins("frozen"))


def test_live_asks_for_a_tag_that_was_seen_a_moment_ago(other_store, events, archive):
    async def action(images, registry):
        for _ in range(2):
            await images.resolve(f"{registry.host}/app:1")
        assert registry.asked["/v2/app/manifests/1"] == 2

    run(other_store, events, archive, action, _pins("live"))


def test_live_does_not_take_what_was_seen_for_what_is_there(other_store, events, archive):
    async def action(images, registry):
        await images.resolve(f"{registry.host}/app:1")
        await registry.__aexit__()
        with pytest.raises(NotFound):
            await images.resolve(f"{registry.host}/app:1")

    run(other_store, events, archive, action, _pins("live"))


def _known(store):
    """Debian, as if the catalog had built it: its digest."""
    recipe = index.find(reference.parse("debian:12"))
    store.put_result(recipe.key("amd64"), "catalog-image", {"digest": DIGEST, "config": {}, "diff_ids": []}, layers=[])
    return DIGEST


def test_an_image_that_was_pinned_as_the_catalogs_is_the_catalogs(other_store, events, archive):
    digest = _known(other_store)

    async def action(images, registry):
        assert (await images.resolve("debian:12")).origin == "catalog"

    run(other_store, events, archive, action, _pins("frozen", **{"debian:12": digest}))


@pytest.mark.parametrize("mode", ["pinned", "frozen"])
def test_packages_that_have_moved_are_refused_when_frozen_and_said_else(other_store, events, archive, mode):
    _known(other_store)

    async def action(images, registry):
        if mode == "frozen":
            with pytest.raises(ImageError) as caught:
                await images.resolve("debian:12")
            assert caught.value.reason == "lock-differs"
            assert "sealane lock debian:12" in caught.value.hint
        else:
            await images.resolve("debian:12")
            assert [data["reason"] for kind, data in events.seen if kind == "warning"] == ["lock-differs"]

    run(other_store, events, archive, action, _pins(mode, **{"debian:12": f"sha256:{'0' * 64}"}))


def test_a_bad_reference_is_refused_before_anything_is_asked(store, events):
    with pytest.raises(InvalidInput, match=r"^failed to parse image address UPPER CASE//: invalid reference format$"):
        asyncio.run(Images(store, events).resolve("UPPER CASE//"))


def test_the_catalog_stands_in_for_these():
    for name in (
        "debian:bookworm-slim",
        "python:3.11-slim",
        "python:3.9-slim",
        "python:3.13-slim",
        "postgres:15",
        "redis:7",
        "node:18-slim",
    ):
        assert index.find(reference.parse(name)) is not None, name
    assert index.find(reference.parse("debian:no-such-tag-ever")) is None
    assert index.find(reference.parse("ghcr.io/library/debian:bookworm-slim")) is None
    assert len(index.names()) == len(set(index.names()))


def test_a_recipe_that_changes_builds_another_image():
    one, two = (Recipe("x", "bookworm", ("x",), packages=packages) for packages in (("a",), ("b",)))
    assert one.key("amd64") != two.key("amd64")
    assert one.key("amd64") != one.key("arm64")


def test_the_last_one_who_leaves_ends_the_work():
    async def main():
        flights, ended, begun = Flights(), [], asyncio.Event()

        async def work():
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        tasks = [asyncio.create_task(flights.join("k", work)) for _ in range(3)]
        await begun.wait()
        for count, task in enumerate(tasks, 1):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert bool(ended) == (count == 3)

    asyncio.run(main())
