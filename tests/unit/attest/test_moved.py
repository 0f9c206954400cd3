"""What is said of an image that comes out otherwise when it is built again."""

import gzip
import io
import json
import tarfile

import pytest

from sealane.attest import moved


def layer(*, pack=gzip.compress, **contents):
    """A layer of files; a value may be (content, members of its header)."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for path, given in contents.items():
            content, header = given if isinstance(given, tuple) else (given, {})
            info = tarfile.TarInfo(path)
            info.size = len(content)
            for name, value in header.items():
                setattr(info, name, value)
            archive.addfile(info, io.BytesIO(content))
    return pack(held.getvalue())


def build(*layers, config=None, sbom=None):
    blobs = {f"sha256:{number}-{len(data)}-{data[-8:].hex()}": data for number, data in enumerate(layers)}
    components = [
        {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        for name, version in (sbom or {}).items()
    ]
    return moved.Build(
        config or {},
        tuple(blobs),
        lambda digest: io.BytesIO(blobs[digest]),
        json.dumps({"components": components}).encode() if sbom else b"",
    )


def test_a_package_that_moved_is_named_with_its_files():
    base = layer(etc=b"same")
    old = build(base, layer(six=b"1.17", gone=b"x"), sbom={"six": "1.17.0", "idna": "3"})
    new = build(base, layer(six=b"1.16", come=b"y"), sbom={"six": "1.16.0", "idna": "3"})
    lines = moved.differences(old, new)
    assert lines[0] == "package pypi/six: 1.17.0 → 1.16.0"
    assert lines[1].startswith("layer 2 of 2: sha256:")
    assert lines[2:] == ["  added '/come'", "  missing '/gone'", "  changed '/six' (content)"]


def test_what_a_file_is_otherwise_is_said():
    old = build(layer(a=(b"1", {}), b=(b"1", {}), c=(b"1", {})))
    new = build(layer(a=(b"1", {"mode": 0o600}), b=(b"1", {"mtime": 9}), c=(b"1", {"uid": 7})))
    assert moved.differences(old, new)[1:] == [
        "  changed '/a' (mode)", "  changed '/b' (time)", "  changed '/c' (owner)",
    ]  # fmt: skip


def test_a_label_is_a_difference_of_the_configuration_alone():
    same = layer(a=b"1")
    old = build(same, config={"config": {"Labels": {"a": "1"}}, "history": [1]})
    new = build(same, config={"config": {"Labels": {"a": "2"}}, "history": [2]})
    assert moved.differences(old, new) == ['configuration config.Labels.a: "1" → "2"']


def test_the_same_files_in_another_packing_are_told_apart_from_a_change():
    old, new = build(layer(a=b"1")), build(layer(a=b"1", pack=bytes))
    assert moved.differences(old, new)[1:] == ["  the same files, packed otherwise"]


def test_a_layer_that_came_or_went():
    one, two = layer(a=b"1"), layer(b=b"2")
    assert moved.differences(build(one), build(one, two)) == ["layer 2 of 2: more than was published"]
    assert moved.differences(build(one, two), build(one)) == ["layer 2 of 2: missing"]


def test_a_directory_that_came_is_one_line():
    folder = (b"", {"type": tarfile.DIRTYPE})
    old = build(layer(z=b"1"))
    new = build(layer(**{"a/": folder, "a/b": b"1", "a/c/": folder, "a/c/d": b"1", "a-b": b"1", "z": b"2"}))
    assert moved.differences(old, new)[1:] == ["  added '/a'", "  added '/a-b'", "  changed '/z' (content)"]


def test_many_differences_are_counted():
    old = build(layer(**{f"f{number:03}": b"1" for number in range(100)}))
    lines = moved.differences(old, build(layer(x=b"")))
    assert lines[-1] == "  … and 91 more"
    assert len(lines) == moved.SHOWN + 2


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"components": [1]}', b'{"components": [{"type": "library"}]}'])
def test_a_list_that_cannot_be_read_says_nothing(text):
    assert moved.packages(text) == {}


def test_a_layer_that_is_none_is_an_error_of_its_kind():
    with pytest.raises(tarfile.TarError):
        moved.files(io.BytesIO(b"<html>"))
