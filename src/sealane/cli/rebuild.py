"""`verify --rebuild`: the image is built again from this folder; when another one comes out, what moved is named."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sealane.attest import attach, moved
from sealane.attest.registry import INDEXES
from sealane.cli import own
from sealane.errors import NotVerified
from sealane_engine.errors import EngineError
from sealane_engine.oci import descriptor
from sealane_engine.oci.registry import Registry, Unreachable

if TYPE_CHECKING:
    from sealane.attest.registry import Address
    from sealane.attest.verify import Found, Verdict


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The project's build at the commit and time that an image's provenance names."""

    project: Path
    environ: Mapping[str, str]
    context: str

    @classmethod
    def of(cls, verdict: Verdict, project: Path, environ: Mapping[str, str]) -> Rebuild:
        facts = dict(verdict.facts)
        repository, _, commit = facts.get("source", "").rpartition("@")
        when = datetime.fromisoformat(facts["time"]) if facts.get("time") else None
        context: dict[str, str | int] = {"repository": repository, "commit": commit, "branch": facts.get("ref", "")}
        context |= {"committed": int(when.timestamp())} if when else {}
        return cls(project, environ, json.dumps(context))

    def call(self, *words: str) -> str:
        """What a function of `build` says. Raises NotVerified (`rebuild-failed`)."""
        own_module = own.completed([], source=False)
        command = [
            sys.executable, "-P", "-m", "sealane", "call", *own_module, "--source", str(self.project), "--context",
            self.context, "build", *words,
        ]  # fmt: skip
        done = subprocess.run(command, env=dict(self.environ), stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise NotVerified(
                "the image can't be built again: see above", reason="rebuild-failed", hint="Nothing was compared."
            )
        return done.stdout.strip()


def compare(rebuild: Rebuild, found: Found, verdict: Verdict, where: Address) -> None:
    """Build it again. Raises NotVerified (`rebuild-differs`), which names what moved."""
    made = rebuild.call("digest")
    if made == verdict.digest:
        print("✔ the source makes the same image")
        return
    with tempfile.TemporaryDirectory(prefix="sealane-") as folder, ExitStack() as stack:
        archive = Path(folder) / "image.tar"
        rebuild.call("tarball", "-o", str(archive))
        layout = stack.enter_context(tarfile.open(archive))
        try:
            published = asyncio.run(_published(where, verdict.digest, found, Path(folder), _layers(layout)))
        except (EngineError, Unreachable) as error:
            said = [f"what was published can't be looked into: {error}"]
        else:
            said = _said(rebuild, published, _rebuilt(layout), Path(folder))
    raise NotVerified(
        "\n".join([f"{verdict.digest} was published, and the source here makes {made}", *said]),
        reason="rebuild-differs",
        hint=f"Is this {dict(verdict.facts).get('source', '')}? Base images are pinned by `sealane lock`.",
    )


def _said(
    rebuild: Rebuild, published: Mapping[str, moved.Build], made: Mapping[str, moved.Build], folder: Path
) -> list[str]:
    lines = []
    for platform in sorted({*published, *made}):
        was, now = published.get(platform), made.get(platform)
        if was is None or now is None:
            lines.append(f"{platform}: {'not published' if was is None else 'not built here'}")
            continue
        if (was.config, was.layers) == (now.config, now.layers):
            continue
        sbom = folder / "sbom.json"
        rebuild.call("sbom", "--cyclonedx", "--platform", platform, "-o", str(sbom))
        now = moved.Build(now.config, now.layers, now.open, sbom.read_bytes())
        try:
            lines += [f"{platform}: {line}" for line in moved.differences(was, now)]
        except (tarfile.TarError, OSError, EOFError) as error:
            lines.append(f"{platform}: a layer can't be read: {error}")
    return lines


def _rebuilt(layout: tarfile.TarFile) -> dict[str, moved.Build]:
    """The images of an OCI layout by platform."""
    found = {}
    for manifest in _manifests(layout):
        config = _json(layout, manifest["config"]["digest"])
        layers = tuple(each["digest"] for each in manifest["layers"])
        found[_platform(config)] = moved.Build(config, layers, lambda digest: _blob(layout, digest))
    return found


def _layers(layout: tarfile.TarFile) -> frozenset[str]:
    return frozenset(each["digest"] for manifest in _manifests(layout) for each in manifest["layers"])


def _manifests(layout: tarfile.TarFile) -> list[dict[str, Any]]:
    member = layout.extractfile("index.json")
    assert member is not None
    waiting: list[dict[str, Any]] = [json.load(member)]
    found: list[dict[str, Any]] = []
    while waiting:
        for each in waiting.pop()["manifests"]:
            body = _json(layout, each["digest"])
            (waiting if each["mediaType"] in INDEXES else found).append(body)
    return found


def _blob(layout: tarfile.TarFile, digest: str) -> BinaryIO:
    member = layout.extractfile(f"blobs/{digest.replace(':', '/')}")
    assert member is not None
    return cast("BinaryIO", member)


def _json(layout: tarfile.TarFile, digest: str) -> dict[str, Any]:
    with _blob(layout, digest) as member:
        body: dict[str, Any] = json.load(member)
        return body


def _platform(config: Mapping[str, Any]) -> str:
    return "/".join(str(config[name]) for name in ("os", "architecture", "variant") if config.get(name))


async def _published(
    where: Address, top: str, found: Found, folder: Path, known: frozenset[str]
) -> dict[str, moved.Build]:
    """The images of the registry by platform; of their layers, those that are not `known` are fetched into `folder`."""
    sboms = {each.digest: next(iter(each.documents.get(attach.CYCLONEDX, ())), b"") for each in found.images}
    registry = Registry(where.host)
    builds = {}
    try:
        for digest in [each.digest for each in found.images] or [top]:
            manifest = await registry.manifest(where.path, digest)
            held = io.BytesIO()
            await registry.blob(where.path, descriptor.parse(manifest.body["config"]), held)
            config = json.loads(held.getvalue())
            layers = [descriptor.parse(each) for each in manifest.body["layers"]]
            for layer in layers:
                path = folder / layer.digest.replace(":", "-")
                if layer.digest not in known and not path.exists():
                    with path.open("w+b") as sink:
                        await registry.blob(where.path, layer, sink)
            builds[_platform(config)] = moved.Build(
                config,
                tuple(layer.digest for layer in layers),
                lambda digest: (folder / digest.replace(":", "-")).open("rb"),
                sboms.get(digest, b""),
            )
    finally:
        await registry.close()
    return builds
