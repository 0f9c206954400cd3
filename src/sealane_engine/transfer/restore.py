"""Take an export into a store: every file is checked while it is read, layers are unpacked as a registry's are.

All or nothing: results are recorded last, in one transaction. What the store has stays as it is. After a fault the
folder's files are deleted, so that the next export begins anew.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sealane_engine.errors import EngineError
from sealane_engine.images.unpack import unpack_blob
from sealane_engine.oci import diff, manifest
from sealane_engine.oci.descriptor import Descriptor
from sealane_engine.oci.streams import CHUNK, Verified
from sealane_engine.store.disk import guarded
from sealane_engine.store.tree import SCRATCH
from sealane_engine.transfer import folder as folders
from sealane_engine.transfer.contents import KINDS, Kept, Packed
from sealane_engine.transfer.export import MEMOS
from sealane_engine.transfer.folder import CacheFault, fault

if TYPE_CHECKING:
    from sealane_engine.store.store import Store

_THREADS = 2


@dataclass(frozen=True, slots=True)
class Restored:
    """What is new in the store: results and layers, and the bytes of the files that were read."""

    results: int
    layers: int
    bytes: int


def restore(store: Store, folder: Path) -> Restored | None:
    """Import what `folder` holds; None when it holds no export. Slow: for a thread.

    Raises CacheFault after the folder's files were deleted. The store is as before then, but for layers that nothing
    names, which pruning removes.
    """
    if not folder.is_dir():
        return None
    try:
        with folders.locked(folder, shared=True):
            return _restore(store, folder)
    except (EngineError, OSError, ValueError) as error:  # a name may be none that the kernel takes
        with folders.locked(folder):
            folders.clear(folder)
        if isinstance(error, CacheFault):
            raise
        raise fault(f"{folder} can't be imported: {error}", getattr(error, "reason", "cache-file")) from error


def _restore(store: Store, folder: Path) -> Restored | None:
    contents = folders.read(folder)
    if contents is None:
        return None
    now = time.time()
    known = store.known(each.result.key for each in contents.results)
    fresh = [
        each
        for each in contents.results
        if each.result.key not in known and now - each.result.created < KINDS[each.result.kind]
    ]
    layers = {name: contents.layers[name] for each in fresh for name in each.result.layers}
    blobs = {digest: contents.blobs[digest] for each in fresh for digest in each.result.blobs}
    missing = [name for name in layers if not store.lease((name,))]
    for name in layers.keys() - set(missing):
        _compare(store, name, layers[name])
    wanted = [digest for digest in blobs if not store.has_blob(digest)]
    for digest in wanted:
        _take_blob(store, folder, digest, blobs[digest])
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(lambda name: _take_layer(store, folder, name, layers[name]), missing):
            pass
    for each in fresh:
        _check_places(store, each)
    times = [min(each.result.created, now) for each in fresh]
    rows = [
        (replace(each.result, created=when, used=when), each.inputs) for each, when in zip(fresh, times, strict=True)
    ]
    if not store.lease(layers, blobs):
        raise fault(f"a layer of {folder} is gone again", "cache-pruned")
    files = {layers[name].file: layers[name].size for name in missing} | {digest: blobs[digest] for digest in wanted}
    return Restored(store.adopt_results(rows), len(missing), sum(files.values()))


def _compare(store: Store, layer: str, packed: Packed) -> None:
    """A layer of that name is here: it must be the same one."""
    memo = store.memo(MEMOS, layer)
    known = json.loads(memo)["diff_id"] if memo else diff.digest(store.layer_path(layer), store.ids)[0]
    if known != packed.diff_id:
        raise fault(f"layer {layer} is {known} here and {packed.diff_id} there", "cache-conflict")


def _take_layer(store: Store, folder: Path, layer: str, packed: Packed) -> None:
    path = folder / folders.LAYERS / packed.file
    promised = Descriptor(manifest.MEDIA_LAYER_GZIP, f"sha256:{packed.file}", packed.size)
    staging = store.staging()
    try:
        found = unpack_blob(store, staging, SCRATCH, promised, lambda: _open(path), str(path))
        if found != packed.diff_id:
            raise fault(f"{path} unpacks to {found}, its index says {packed.diff_id}", "cache-digest")
        store.adopt_layer(staging, layer)
    finally:
        staging.discard()
    store.put_memo(MEMOS, layer, json.dumps(asdict(packed)))


def _take_blob(store: Store, folder: Path, digest: str, size: int) -> None:
    path = folder / folders.BLOBS / digest.partition(":")[2]
    staging = store.staging()
    try:
        with _open(path) as file, guarded(store.home), (staging.path / "blob").open("xb") as out:
            checked = Verified(file, Descriptor("", digest, size), str(path))
            while piece := checked.read(CHUNK):
                out.write(piece)
        store.adopt_blob(staging.path / "blob", digest)
    finally:
        staging.discard()


def _open(path: Path) -> BinaryIO:
    try:
        return folders.open_file(path)
    except FileNotFoundError:
        raise fault(f"{path} is not there, and the index names it", "cache-file") from None


def _check_places(store: Store, kept: Kept) -> None:
    """A tree may be made of a directory of a layer: a link on the way there would lead out of the store."""
    for name in _stacks(kept.result.kind, kept.result.value):
        layer, _, below = name.partition("/")
        here = os.fspath(store.layer_path(layer))
        for part in below.split("/") if below else ():
            here = f"{here}/{part}"
            try:
                facts = os.lstat(here)
            except OSError:
                facts = None
            if facts is None or not stat.S_ISDIR(facts.st_mode):
                raise fault(f"{kept.result.key} names {name}, which is no directory of that layer", "cache-index")


def _stacks(kind: str, value: Any) -> Iterable[str]:
    if kind == "tree":
        return cast("list[str]", value["layers"])
    if kind == "step":
        return [name for layers in (value["root"], *value["mounts"].values()) for name in layers]
    return ()
