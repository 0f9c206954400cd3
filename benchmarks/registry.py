"""What it costs to push and pull an image of 500 MB, as a ratio to what `skopeo copy` takes for the same in the same run.

    python benchmarks --only registry              or alone: python benchmarks/registry.py

All of them speak to one docker-registry on the loopback, turn by turn, and write to the same disk. Like is compared with
like: our blobs in the store with skopeo's in a layout; the unpacked image with `skopeo copy` and then `umoci unpack`.
Each is a process of its own, whose peak memory is counted. Ours says its time itself: an engine is running already.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import registry_image
from engines import row

from sealane_engine.images.image import Image
from sealane_engine.images.remote import Remote
from sealane_engine.oci import blobs, manifest
from sealane_engine.oci.layout import Assembled
from sealane_engine.oci.push import Pusher, push
from sealane_engine.oci.reference import Reference, parse
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store

ROUNDS = 3
SKOPEO = ("skopeo", "copy", "--quiet")
CONFIG = """\
version: 0.1
log: {{accesslog: {{disabled: true}}, level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, and the peak of resident memory in MB."""

    seconds: float
    memory: float


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sealane-registry-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        folder.chmod(0o711)  # steps' ids go through it
        layout = registry_image.write(folder / "image")
        with serving(folder / "registry") as host:
            subprocess.run([*SKOPEO, "--dest-tls-verify=false", layout, f"docker://{host}/image:1"], check=True)
            best: dict[str, Cost] = {}
            for number in range(ROUNDS):
                with measured(folder / "work") as work:
                    # Who comes later finds warmer caches: the turn changes.
                    for turn in (theirs, ours) if number % 2 == 0 else (ours, theirs):
                        for what, cost in turn(work, layout, f"{host}/image:1"):
                            best[what] = min(cost, best.get(what, cost), key=lambda each: each.seconds)
    for what, cost in best.items():
        row(f"{what} of 500 MB", cost.seconds)
        row(f"{what} of 500 MB, memory (MB)", cost.memory)
    whole = best["skopeo pull"].seconds + best["umoci unpack"].seconds
    row("push to a registry, to skopeo's", best["our push"].seconds / best["skopeo push"].seconds)
    row("pull of blobs, to skopeo's", best["our pull of blobs"].seconds / best["skopeo pull"].seconds)
    row("pull and unpack, to skopeo's and umoci's", best["our pull"].seconds / whole)


@contextlib.contextmanager
def measured(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def theirs(work: Path, layout: str, name: str) -> Iterator[tuple[str, Cost]]:
    to = work / "skopeo"
    yield "skopeo pull", run([*SKOPEO, "--src-tls-verify=false", f"docker://{name}", f"oci:{to}:latest"])
    yield "umoci unpack", run(["umoci", "unpack", "--image", f"{to}:latest", str(work / "bundle")])
    with serving(work / "new") as host:  # what a registry has is mounted, not pushed
        yield "skopeo push", run([*SKOPEO, "--dest-tls-verify=false", layout, f"docker://{host}/image:1"])


def ours(work: Path, _layout: str, name: str) -> Iterator[tuple[str, Cost]]:
    yield "our pull of blobs", run(our("blobs", work / "blobs", name))
    yield "our pull", run(our("pull", work / "home", name))
    with serving(work / "new-to-us") as host:
        yield "our push", run(our("push", work / "home", name, host))


def our(verb: str, home: Path, *words: str) -> list[str]:
    return [sys.executable, __file__, verb, str(home), *words]


def run(command: list[str]) -> Cost:
    os.sync()  # what another has written, this one doesn't wait for
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"benchmarks: {' '.join(command)} ended with {process.returncode}")
    seconds = float(said) if command[0] == sys.executable else time.perf_counter() - started
    return Cost(seconds, usage.ru_maxrss / 1000)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Debian's docker-registry on an empty folder; answers where it listens."""
    folder.mkdir()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (folder / "config.yml").write_text(CONFIG.format(root=folder, port=port))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")],
        env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


# ------------------------------------------------------------------ ours, in a process of its own
async def pull(home: Path, ref: Reference, *, unpack: bool) -> float:
    with Store.open(home, ROOT_RANGE) as store:
        remote = Remote(store)
        try:
            started = time.perf_counter()
            image = await remote.resolve(ref, "linux/amd64")
            await (remote.unpack(image, ref) if unpack else remote.fetch(image, ref))
            return time.perf_counter() - started
        finally:
            await remote.close()


async def pushed(home: Path, ref: Reference, host: str) -> float:
    """Of what `pull` has left in the store, to another registry."""
    with Store.open(home, ROOT_RANGE) as store:
        remote = Remote(store)
        image = await remote.resolve(ref, "linux/amd64")
        tree = await remote.unpack(image, ref)
        await remote.close()
        assembled = made(image, tuple(blobs.layer_blob(store, layer) for layer in tree.layers))
        registry = Pusher(host)
        try:
            started = time.perf_counter()
            await push(registry, store, Reference(host, "image", "1"), [assembled])
            return time.perf_counter() - started
        finally:
            await registry.close()


def made(image: Image, layers: tuple[blobs.LayerBlob, ...]) -> Assembled:
    config = manifest.canonical(image.config)
    described = manifest.describe(manifest.MEDIA_CONFIG, config)
    body = manifest.manifest(described, [each.descriptor for each in layers], manifest.MEDIA_MANIFEST)
    return Assembled(manifest.canonical(body), config, layers, image.platform, manifest.MEDIA_MANIFEST, {})


def child(verb: str, home: str, name: str, host: str = "") -> None:
    ref = parse(name)
    work = pushed(Path(home), ref, host) if verb == "push" else pull(Path(home), ref, unpack=verb == "pull")
    print(asyncio.run(work))


if __name__ == "__main__":
    child(*sys.argv[1:]) if sys.argv[1:] else main()
