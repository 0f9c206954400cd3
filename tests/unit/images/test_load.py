"""Images written as a layout come back as they were; a layout that lies stays outside."""

import io
import json
import tarfile

import pytest

from sealane_engine.errors import ImageError, InvalidInput, NotFound
from sealane_engine.images.load import load
from sealane_engine.oci import manifest
from sealane_engine.oci.layout import ImageSpec, write_layout
from sealane_engine.store.tree import SCRATCH, Tree

CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Env": ["A=1"], "Labels": {"k": "v"}}}


@pytest.fixture
def archive(store, tree, tmp_path):
    path = tmp_path / "image.tar"
    write_layout(store, [ImageSpec(CONFIG, tree, "linux/amd64")], path, names=("docker.io/library/x:1",))
    return path


def contents(path):
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}


def rewrite(path, files):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def blob(digest):
    return "blobs/" + digest.replace(":", "/")


def parts(files):
    """The index, the manifest and the configuration of a layout."""
    index = json.loads(files["index.json"])
    body = json.loads(files[blob(index["manifests"][0]["digest"])])
    return index, body, json.loads(files[blob(body["config"]["digest"])])


def tree_of(image):
    return Tree().on(*(source.layer or "" for source in image.layers))


def test_an_image_comes_back_as_it_was(store, other_store, tree, archive):
    image = load(other_store, archive, "", "linux/amd64")
    assert image.config["config"] == CONFIG["config"]
    view = other_store.view(tree_of(image))
    assert view.listdir("/a") == ["link", "two"]
    assert view.read("/a/two") == b"2"
    assert view.digest("/") == store.view(tree).digest("/")


def test_what_was_exported_is_imported_without_unpacking(store, tree, archive):
    assert tree_of(load(store, archive, "", "linux/amd64")) == tree


def test_the_same_image_is_the_same_file(store, other_store, archive, tmp_path):
    image = load(other_store, archive, "", "linux/amd64")
    again = tmp_path / "again.tar"
    write_layout(
        other_store, [ImageSpec(CONFIG, tree_of(image), "linux/amd64")], again, names=("docker.io/library/x:1",)
    )
    assert again.read_bytes() == archive.read_bytes()


def test_what_a_layout_has(archive):
    files = contents(archive)
    index, body, config = parts(files)
    assert sorted(config) == ["architecture", "config", "created", "history", "os", "rootfs"]
    assert body["mediaType"] == manifest.MEDIA_MANIFEST
    assert index["manifests"][0]["platform"] == {"os": "linux", "architecture": "amd64"}
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    docker = json.loads(files["manifest.json"])[0]
    assert docker["RepoTags"] == ["docker.io/library/x:1"]
    assert all(name in files for name in (docker["Config"], *docker["Layers"]))


def test_an_archive_of_docker_save(other_store, archive):
    files = contents(archive)
    del files["index.json"], files["oci-layout"]
    rewrite(archive, files)
    image = load(other_store, archive, "docker.io/library/x:1", "linux/amd64")
    assert other_store.view(tree_of(image)).read("/b") == b"3"
    with pytest.raises(NotFound):
        load(other_store, archive, "other:2", "linux/amd64")


def test_several_platforms(store, other_store, tree, tmp_path):
    path = tmp_path / "both.tar"
    specs = [
        ImageSpec({**CONFIG, "architecture": name}, each, f"linux/{name}")
        for name, each in (("amd64", tree), ("arm64", Tree(tree.layers[:1])))
    ]
    write_layout(store, specs, path)
    assert "manifest.json" not in contents(path)
    assert load(other_store, path, "", "linux/arm64").config["architecture"] == "arm64"
    assert load(other_store, path, "", "linux/amd64").config["architecture"] == "amd64"
    with pytest.raises(NotFound) as caught:
        load(other_store, path, "", "linux/s390x")
    assert caught.value.reason == "no-platform"
    assert "linux/arm64" in caught.value.hint


def test_an_empty_image(store, other_store, tmp_path):
    path = tmp_path / "scratch.tar"
    write_layout(store, [ImageSpec(CONFIG, SCRATCH, "linux/amd64")], path)
    assert tree_of(load(other_store, path, "", "linux/amd64")) == SCRATCH


def test_docker_s_media_types(store, tree, tmp_path):
    path = tmp_path / "docker.tar"
    write_layout(store, [ImageSpec(CONFIG, tree, "linux/amd64")], path, media_types="DockerMediaTypes")
    _, body, _ = parts(contents(path))
    assert body["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert {layer["mediaType"] for layer in body["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}


def _flip(files):
    _, body, _ = parts(files)
    name = blob(body["layers"][1]["digest"])
    data = bytearray(files[name])
    data[9] ^= 1  # gzip's note of the system: the stream is whole, its digest another
    files[name] = bytes(data)
    return "digest-mismatch"


def _truncate(files):
    _, body, _ = parts(files)
    name = blob(body["layers"][0]["digest"])
    files[name] = files[name][:-10]
    return "size-mismatch"


def _missing(files):
    _, body, _ = parts(files)
    del files[blob(body["layers"][0]["digest"])]
    return "blob-missing"


def _replace(files, change):
    """Change manifest and configuration, everything that names them included."""
    index, body, config = parts(files)
    change(body, config)
    text = manifest.canonical(config)
    files[blob(manifest.digest(text))] = text
    body["config"] |= {"digest": manifest.digest(text), "size": len(text)}
    text = manifest.canonical(body)
    files[blob(manifest.digest(text))] = text
    index["manifests"][0] |= {"digest": manifest.digest(text), "size": len(text)}
    files["index.json"] = manifest.canonical(index)


def _size(files):
    _replace(files, lambda body, _: body["layers"][0].update(size=body["layers"][0]["size"] + 1))
    return "size-mismatch"


def _diff_id(files):
    _replace(files, lambda _, config: config["rootfs"]["diff_ids"].reverse())
    return "diff-id-mismatch"


def _config_flip(files):
    _, body, _ = parts(files)
    name = blob(body["config"]["digest"])
    files[name] = files[name].replace(b"A=1", b"A=2")
    return "digest-mismatch"


def _too_few(files):
    _replace(files, lambda _, config: config["rootfs"]["diff_ids"].pop())
    return "bad-manifest"


def _no_entrypoint(files):
    _replace(files, lambda _, config: config["config"].update(Entrypoint="sh -c"))
    return "bad-config"


def _huge_number(files):
    files["index.json"] = b"[" * 100_000
    return "bad-manifest"


LIES = [_flip, _truncate, _missing, _size, _diff_id, _config_flip, _too_few, _no_entrypoint, _huge_number]


@pytest.mark.parametrize("lie", LIES)
def test_a_layout_that_lies_is_refused(lie, other_store, archive):
    files = contents(archive)
    reason = lie(files)
    rewrite(archive, files)
    with pytest.raises(ImageError) as caught:
        load(other_store, archive, "", "linux/amd64")
    assert caught.value.reason == reason
    whole = [result for result in other_store.results() if result.kind == "image-layer"]
    assert len(whole) < 2
    assert list((other_store.home / "s").iterdir()) == []


def test_what_is_no_archive_is_refused(other_store, tmp_path):
    path = tmp_path / "x"
    path.write_text("no tar")
    with pytest.raises(InvalidInput) as caught:
        load(other_store, path, "", "linux/amd64")
    assert caught.value.reason == "bad-archive"
