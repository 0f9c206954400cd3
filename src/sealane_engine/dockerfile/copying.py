"""What COPY and ADD do to a tree: patterns, directories' contents, owners, modes, archives."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sealane_engine.dockerfile.errors import bad
from sealane_engine.errors import HostError, ImageError, NotFound
from sealane_engine.oci import apply, streams

if TYPE_CHECKING:
    from sealane_engine.dockerfile.build import CopyStep
    from sealane_engine.oci.lower import Lower
    from sealane_engine.store.store import Store
    from sealane_engine.store.tree import Tree
    from sealane_engine.store.view import Entry, TreeView

Match = Callable[[str, bool], bool]
_PATTERN = frozenset("*?[")


def copy_into(
    store: Store,
    base: Tree,
    source: TreeView,
    step: CopyStep[Any],
    *,
    owner: tuple[int, int] | None = None,
    match: Match | None = None,
) -> Tree:
    """`base` with the files of a COPY or ADD.

    `owner` is `step.owner` as ids (None: it has none, so root); `match` says what of the context counts
    (.dockerignore). Slow: for a thread. Raises InvalidInput and NotFound, worded as BuildKit does.
    """
    mode = _mode(step)
    uid, gid = owner or (0, 0)
    found = [each for path in step.paths for each in _sources(source, path, step, match)]
    dest = step.dest
    if len(found) + len(step.files) > 1 and not dest.endswith("/"):
        dest += "/"
    archives: list[str] = []
    with store.edit(base) as edit:
        for name, content in step.files:
            edit.mkdir(_directory(dest), 0o755, uid, gid)
            edit.write(f"{dest}{name}" if dest.endswith("/") else dest, content.encode(), mode or 0o644, uid, gid)
        for path in found:
            entry = source.stat(f"/{path}")
            assert entry is not None
            if step.unpack and entry.kind == "file" and _is_archive(source, path):
                archives.append(path)
                continue
            target = f"{dest.rstrip('/')}/{_parent(path, entry, step)}/" if step.parents else dest
            there = edit.view.stat(target)
            edit.mkdir(target if entry.kind == "dir" else _directory(target), 0o755, uid, gid)
            kept = _below(match, path, step)
            edit.copy(source, f"/{path}", target, match=kept, uid=uid, gid=gid, mode=mode)
            if there is not None and there.kind == "dir" and entry.kind == "dir":
                edit.chown(target, there.uid, there.gid, recursive=False)  # the destination itself stays whose it was
    tree = edit.tree
    for path in archives:
        tree = _unpack(store, tree, source, path, apply.Archive(dest, owner))
    return tree


def _directory(dest: str) -> str:
    return dest if dest.endswith("/") else posixpath.dirname(dest)


def _mode(step: CopyStep[Any]) -> int | None:
    if not step.mode:
        return None
    try:
        return int(step.mode, 8)
    except ValueError:
        raise bad(
            step.line, f"invalid chmod parameter: '{step.mode}'. it should be octal string and between 0 and 07777"
        ) from None


def _sources(source: TreeView, path: str, step: CopyStep[Any], match: Match | None) -> list[str]:
    """The sources that a path means, relative to the root; "" is the root itself."""
    if path == ".":
        return [""]
    names = [path]
    if _PATTERN & set(path):
        names = sorted(name.strip("/") for name in source.glob(path))
    found = [name for name in names if source.stat(f"/{name}") is not None and _kept(source, name, match)]
    if not found:
        raise _not_found(step, path)
    return found


def _kept(source: TreeView, path: str, match: Match | None) -> bool:
    """Whether a source counts: itself, or something in it that an exception puts back."""
    entry = source.stat(f"/{path}")
    is_dir = entry is not None and entry.kind == "dir"
    if match is None or match(path, is_dir):
        return True
    return is_dir and any(match(each.strip("/"), below.kind == "dir") for each, below in source.walk(f"/{path}"))


def _below(match: Match | None, root: str, step: CopyStep[Any]) -> Match | None:
    """The filter as a copy of `root` asks it: relative to what is copied."""
    if match is None and not step.exclude:
        return None
    from sealane_engine.host.patterns import Filter

    unwanted = Filter(exclude=step.exclude) if step.exclude else None

    def keeps(path: str, is_dir: bool) -> bool:
        if match is not None and not match(posixpath.join(root, path) if root else path, is_dir):
            return False
        return unwanted is None or unwanted.match(path, is_dir)

    return keeps


def _parent(path: str, entry: Entry, step: CopyStep[Any]) -> str:
    """What COPY --parents keeps of a source's path: all of it, or what follows `./` in the instruction."""
    pivots = [word.partition("/./")[0] for word in step.paths if "/./" in word]
    for pivot in pivots:
        if path.startswith(f"{pivot}/"):
            path = path.removeprefix(f"{pivot}/")
            break
    return path if entry.kind == "dir" else posixpath.dirname(path)


def _is_archive(source: TreeView, path: str) -> bool:
    """Whether a file is a tar archive, compressed or not: what it holds counts, not its name."""
    with source.open(f"/{path}") as file:
        try:
            with closing(_plain(file)) as stream:
                tarfile.TarInfo.frombuf(_exactly(stream, tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ImageError, HostError, OSError, EOFError):
            return False
    return True


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _unpack(store: Store, base: Tree, source: TreeView, path: str, archive: apply.Archive) -> Tree:
    """An archive's files as a layer of their own."""
    staging = store.staging(base)
    try:
        with source.open(f"/{path}") as file, closing(_plain(file)) as stream:
            apply.apply(stream, staging.fs, store.ids, lower=cast("Lower", store.view(base)), archive=archive)
        return base.on(store.commit(staging))
    except BaseException:
        staging.discard()
        raise


def _plain(file: BinaryIO) -> BinaryIO:
    head = file.read(6)
    file.seek(0)
    if head.startswith((b"BZh", b"\xfd7zXZ\x00")):
        import bz2
        import lzma

        opener = bz2.open if head.startswith(b"BZh") else lzma.open
        return cast("BinaryIO", opener(file))
    return cast("BinaryIO", streams.decompress(file))


def _not_found(step: CopyStep[Any], path: str) -> NotFound:
    return NotFound(
        f'failed to compute cache key: failed to calculate checksum of ref: "/{path.lstrip("/")}": not found',
        reason="copy-source-missing",
        hint=f"line {step.line} of the Dockerfile copies it; is it left out by .dockerignore?",
    )
