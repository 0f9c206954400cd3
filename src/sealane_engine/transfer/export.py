"""Write a store's results to a folder, up to a limit in bytes, for another machine's store to take in.

A file that the folder has already is not written again. The index comes last and by a rename, and what it no longer
names is deleted after that: whoever reads meanwhile, or after a kill, finds all that the index in place names.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sealane_engine.errors import InvalidInput
from sealane_engine.oci import diff
from sealane_engine.oci.apply import WHITEOUT_PREFIX
from sealane_engine.oci.blobs import GZIP_LEVEL
from sealane_engine.oci.streams import gzip
from sealane_engine.store.disk import guarded, is_whiteout
from sealane_engine.store.layers import new_id
from sealane_engine.transfer import folder as folders
from sealane_engine.transfer.choose import choose, made_again
from sealane_engine.transfer.contents import Contents, Kept, Packed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.store.store import Store

MEMOS = "packed"
"""The memo table that says what a layer is as a file."""

SMALL = 1_000_000
"""A tree that was put together from others takes as long to unpack as to make: it goes where its layers are there anyway,
or are no larger than this in bytes.
"""

VAIN = 64
"""After so many layers at most that were begun and didn't fit, no other is: a store may be much larger than the limit."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What is in the folder now; `left_out` results didn't fit. `changed` says whether the index is another one."""

    results: int
    left_out: int
    bytes: int
    changed: bool


def export(store: Store, folder: Path, limit: int) -> Exported:
    """Export to `folder`, made if needed, files of at most `limit` bytes in all (the index not counted). Slow: for a thread.

    Raises InvalidInput (`cache-folder`) when the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with folders.locked(folder), guarded(folder):
            return _Export(store, folder, limit).run()
    except OSError as error:
        raise InvalidInput(
            f"the cache can't be written to {folder}: {error}",
            reason="cache-folder",
            hint="name a folder that this user may write",
        ) from error


class _TooLargeError(Exception):
    """A layer's file doesn't fit what is left."""


class _Bounded:
    """A sink of so many bytes."""

    def __init__(self, sink: BinaryIO, room: int) -> None:
        self._sink, self._room = sink, room

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise _TooLargeError
        return self._sink.write(data)


class _Export:
    def __init__(self, store: Store, folder: Path, limit: int) -> None:
        self.store, self.folder = store, folder
        self.limit = self.left = self.waste = limit
        self.layers: dict[str, Packed] = {}
        self.files: set[str] = set()
        """Of the layers: two may be the same file, which counts once."""
        self.blobs: dict[str, int] = {}
        self.refused: set[str] = set()
        """Layers and blobs that can't go: they didn't fit, and what is left only shrinks."""

    def run(self) -> Exported:
        for kind in (folders.LAYERS, folders.BLOBS):
            place = self.folder / kind
            if place.is_symlink():
                place.unlink()
            place.mkdir(exist_ok=True)
        kept = [Kept(*each) for each in self.store.results_with_inputs()]
        groups = choose(kept, time.time())
        chosen: dict[str, Kept] = {}
        left_out = 0
        for group in groups:
            if self._add(group):
                chosen |= {each.result.key: each for each in group}
            else:
                left_out += 1
        data = Contents(self.layers, self.blobs, tuple(chosen.values())).to_json()
        changed = self._write_index(data)
        files = {(folders.LAYERS, file) for file in self.files}
        files |= {(folders.BLOBS, digest.partition(":")[2]) for digest in self.blobs}
        folders.clear(self.folder, frozenset(files), index=False)
        return Exported(len(chosen), left_out, self.limit - self.left, changed)

    def _add(self, group: list[Kept]) -> bool:
        """Bring a group's layers and blobs into the folder; False when they can't all go."""
        layers = _new((each.result.layers for each in group), self.layers)
        blobs = _new((each.result.blobs for each in group), self.blobs)
        if not self.refused.isdisjoint([*layers, *blobs]) or not self.store.lease(layers, blobs):
            return False
        again = made_again(group[0])
        room = left = min(self.left, SMALL) if again else self.left
        packed: dict[str, Packed] = {}
        copied: dict[str, int] = {}
        for digest in blobs:
            size = self.store.blob_path(digest).stat().st_size
            if size > room:
                return self._refuse(digest, left - room)
            self._copy(digest, size)
            copied[digest] = size
            room -= size
        for layer in layers:
            # a larger one may be a file that is there already
            most = room if again else max([room, *(each.size for each in self.layers.values())])
            found = self._pack(layer, room, most) if self.waste > 0 else None
            if found is None:
                return self._refuse(layer, left - room)
            if found.file not in self.files | {each.file for each in packed.values()}:
                room -= found.size
            packed[layer] = found
        self.layers |= packed
        self.files |= {each.file for each in packed.values()}
        self.blobs |= copied
        self.left -= left - room
        return True

    def _refuse(self, item: str, written: int) -> bool:
        """A group was begun in vain."""
        self.refused.add(item)
        self.waste -= written
        return False

    def _copy(self, digest: str, size: int) -> None:
        target = self.folder / folders.BLOBS / digest.partition(":")[2]
        if not _has(target, size):
            part = target.with_name(f"{target.name}.part")
            shutil.copyfile(self.store.blob_path(digest), part)
            part.rename(target)

    def _pack(self, layer: str, room: int, most: int) -> Packed | None:
        """A layer as a file of the folder; None when it doesn't fit `room` (begun up to `most` bytes), or wouldn't be the
        same on the other side.
        """
        place = self.folder / folders.LAYERS
        memo = self.store.memo(MEMOS, layer)
        known = Packed(**json.loads(memo)) if memo else None
        if known is not None and known.size > room and known.file not in self.files:
            return None
        if known is not None and _has(place / known.file, known.size):
            return known
        path = self.store.layer_path(layer)
        part = place / f"{new_id()}.part"
        try:
            made = self._write(path, part, most)
            if made is None or (made.size > room and made.file not in self.files) or not _travels(path):
                self.waste -= max(part.stat().st_size, self.limit // VAIN)
                return None
            part.rename(place / made.file)
            self.store.put_memo(MEMOS, layer, json.dumps(asdict(made)))
        finally:
            part.unlink(missing_ok=True)
        return made

    def _write(self, layer: Path, part: Path, room: int) -> Packed | None:
        with part.open("xb") as out:
            packed = diff.Digester(cast("BinaryIO", _Bounded(out, room)))
            squeeze = gzip(cast("BinaryIO", packed), GZIP_LEVEL)
            plain = diff.Digester(cast("BinaryIO", squeeze))
            try:
                diff.write(layer, cast("BinaryIO", plain), self.store.ids)
                squeeze.finish()
            except _TooLargeError:
                return None
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:  # a path that can be made step by step, and not be named
                    raise
                return None
        return Packed(packed.digest.partition(":")[2], packed.size, plain.digest)

    def _write_index(self, data: bytes) -> bool:
        index = self.folder / folders.INDEX
        try:
            with folders.open_file(index) as file:
                if file.read() == data:
                    return False
        except (FileNotFoundError, folders.CacheFault):
            pass
        part = self.folder / f"{folders.INDEX}.{new_id()}.part"
        try:
            part.write_bytes(data)
            part.rename(index)
        finally:
            part.unlink(missing_ok=True)
        return True


def _new(needed: Iterable[Iterable[str]], there: Iterable[str]) -> list[str]:
    """What is needed and not there yet, each once, in order."""
    return [item for item in dict.fromkeys(each for some in needed for each in some) if item not in set(there)]


def _has(path: Path, size: int) -> bool:
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size == size


def _travels(layer: Path) -> bool:
    """Whether a layer's tar stream says all that it is: not if a name looks like a whiteout, or for devices and sockets."""
    todo = [os.fspath(layer)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(WHITEOUT_PREFIX):
                    return False
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                    facts = entry.stat(follow_symlinks=False)
                    if not is_whiteout(facts) and not stat.S_ISFIFO(facts.st_mode):
                        return False
    return True
