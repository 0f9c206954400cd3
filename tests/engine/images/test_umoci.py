"""The layers of tests/golden/layers.toml in one image each: what the store shows of it, and what `umoci unpack` makes."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tarfile
import tomllib
from io import BytesIO
from pathlib import Path

import pytest

from sealane_engine.images.load import load
from sealane_engine.oci import manifest
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree

pytestmark = pytest.mark.needs("root")

CASES = tomllib.loads((Path(__file__).parents[2] / "golden" / "layers.toml").read_text())
BELOW = [["file", "a", "a"], ["dir", "d"], ["file", "d/x", "x"], ["dir", "d/s"], ["file", "d/s/y", "y"]]
STACKS = {
    name: [*([case["below"]] if "below" in case else []), case["layer"]]
    for name, case in CASES["breakouts"].items()
    if not case.get("refused")
} | {f"whiteout {name}": [BELOW, case["layer"]] for name, case in CASES["whiteouts"].items()}
REFUSED_BY_UMOCI = ("SymlinkParentDirectory", "SymlinkEmptyFilename")
"""An entry that would make the root a link: the store leaves the root as it is."""
HIDES_NOTHING = ("WhiteoutDeadSymlinkParent",)
"""A whiteout where there is nothing: the store makes the directory that it would be in."""
TYPES = {"dir": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}


def pack(entries: list[list[str]]) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for kind, name, *rest in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode = TYPES[kind], 0o755 if kind == "dir" else 0o644
            data = rest[0].encode() if kind == "file" else b""
            member.size = len(data)
            member.linkname = "" if kind in ("file", "dir") else rest[0]
            archive.addfile(member, BytesIO(data))
    return out.getvalue()


def write_layout(folder: Path, layers: list[bytes]) -> None:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(media_type: str, data: bytes) -> dict[str, object]:
        described = manifest.describe(media_type, data)
        (blobs / described.digest.removeprefix("sha256:")).write_bytes(data)
        return described.to_json()

    described = [put(manifest.MEDIA_LAYER, layer) for layer in layers]
    rootfs = {"type": "layers", "diff_ids": [each["digest"] for each in described]}
    config = manifest.canonical({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    body = {
        "schemaVersion": 2,
        "mediaType": manifest.MEDIA_MANIFEST,
        "config": put("application/vnd.oci.image.config.v1+json", config),
        "layers": described,
    }
    top = put(manifest.MEDIA_MANIFEST, manifest.canonical(body))
    top["annotations"] = {"org.opencontainers.image.ref.name": "x"}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))


def shown(root: Path) -> dict[str, tuple[str, str]]:
    """Every path below a directory: its type and mode, and its text or target."""
    found = {}
    for path in root.rglob("*"):
        facts = path.lstat()
        if stat.S_ISLNK(facts.st_mode):
            found[f"/{path.relative_to(root)}"] = ("link", os.readlink(path))  # noqa: PTH115  (a Path drops `./` and slashes)
        else:
            text = path.read_text() if path.is_file() else ""
            found[f"/{path.relative_to(root)}"] = (stat.filemode(facts.st_mode), text)
    return found


def shown_by_store(store: Store, tree: Tree) -> dict[str, tuple[str, str]]:
    view = store.view(tree)
    found = {}
    for path, entry in view.walk("/"):
        if entry.kind == "symlink":
            found[path] = ("link", view.readlink(path))
        elif path != "/":
            kind = stat.S_IFDIR if entry.kind == "dir" else stat.S_IFREG
            found[path] = (stat.filemode(kind | entry.mode), view.read(path).decode() if entry.kind == "file" else "")
    return found


@pytest.mark.parametrize("name", STACKS)
def test_the_store_shows_what_umoci_unpacks(name: str, tmp_path: Path):
    if shutil.which("umoci") is None:
        pytest.skip("needs: umoci")
    layout, archive, bundle = tmp_path / "layout", tmp_path / "image.tar", tmp_path / "bundle"
    write_layout(layout, [pack(entries) for entries in STACKS[name]])
    with tarfile.open(archive, "w") as tar:
        for path in sorted(layout.iterdir()):
            tar.add(path, path.name)
    command = ["umoci", "unpack", "--image", f"{layout}:x", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    with Store.open(tmp_path / "home", ROOT_RANGE) as store:
        image = load(store, archive, "", "linux/amd64")
        ours = shown_by_store(store, Tree().on(*(source.layer or "" for source in image.layers)))
    if name in REFUSED_BY_UMOCI:
        assert done.returncode != 0
        return
    assert done.returncode == 0, done.stderr
    if name in HIDES_NOTHING:
        assert ours.pop("/dne") == ("drwxr-xr-x", "")
    assert ours == shown(bundle / "rootfs")
