"""An image of 500 MB for the registry benchmark, as an OCI layout: layers that are dense already, and layers that are not."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

MB = 1_000_000
DENSE_LAYERS, DENSE_MB = 3, 105
TEXT_LAYERS, TEXT_MB = 3, 140
LEVEL = 1


def write(folder: Path) -> str:
    """Write the layout, unless it is there; answers the total of its blobs in bytes and its name as skopeo takes it."""
    if not (folder / "index.json").exists():
        (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        kinds = [("dense", number) for number in range(DENSE_LAYERS)] + [("text", n) for n in range(TEXT_LAYERS)]
        with ProcessPoolExecutor(2) as pool:
            layers = list(pool.map(_layer, [folder] * len(kinds), kinds))
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _blob(folder, "application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
            "layers": [described for described, _ in layers],
        }
        top = _blob(folder, manifest["mediaType"], json.dumps(manifest).encode())
        top["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    return f"oci:{folder}:latest"


def _layer(folder: Path, kind: tuple[str, int]) -> tuple[dict[str, Any], str]:
    name, number = kind
    chance = random.Random(f"{name}{number}")  # noqa: S311 - the same image each time
    plain, path = hashlib.sha256(), folder / f"{name}{number}"
    with path.open("wb") as out, gzip.GzipFile("", "wb", LEVEL, out, mtime=0) as packed:
        sink = _Tee(packed, plain)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            size = (DENSE_MB if name == "dense" else TEXT_MB) * MB
            count = 0
            while size > 0:
                data = _dense(chance) if name == "dense" else _text(chance)
                member = tarfile.TarInfo(f"{name}{number}/d{count // 100}/f{count}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
                size, count = size - len(data), count + 1
    described = _describe("application/vnd.oci.image.layer.v1.tar+gzip", path)
    path.rename(folder / "blobs/sha256" / described["digest"].removeprefix("sha256:"))
    return described, f"sha256:{plain.hexdigest()}"


def _dense(chance: random.Random) -> bytes:
    """As shared objects, pictures and archives are: from a few KB to some MB, half of it noise at the least."""
    return chance.randbytes(int(4096 * 2 ** (chance.random() * 11)))


def _text(chance: random.Random) -> bytes:
    """As source files are: words of a vocabulary, a few KB."""
    words = chance.choices(_WORDS, k=int(64 * 2 ** (chance.random() * 7)))
    return b" ".join(words) + b"\n"


_WORDS = [bytes(random.Random(n).choices(b"abcdefghijklmnopqrstuvwxyz_", k=3 + n % 9)) for n in range(4000)]  # noqa: S311


class _Tee:
    def __init__(self, sink: gzip.GzipFile, plain: Any) -> None:
        self._sink, self._plain = sink, plain

    def write(self, data: bytes) -> int:
        self._plain.update(data)
        return self._sink.write(data)


def _describe(media_type: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": path.stat().st_size}


def _blob(folder: Path, media_type: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
