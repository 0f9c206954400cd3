"""What COPY and ADD do to a tree: patterns, directories' contents, owners, modes, archives."""

from __future__ import annotations

import posixpath
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sealane_engine.dockerfile.errors import bad
from sealane_engine.dockerfile.sources import is_pattern, matching, split_parents
from sealane_engine.errors import HostError, ImageError, NotFound
from sealane_engine.host.patterns import Filter
from sealane_engine.oci import apply, streams
from sealane_engine.store.modes import Mode, parse_mode
from sealane_engine.store.tree import SCRATCH, Tree

if TYPE_CHECKING:
    from sealane_engine.dockerfile.builder import CopyStep
    from sealane_engine.oci.lower import Lower
    from sealane_engine.store.edit import Editor
    from sealane_engine.store.store import Store
    from sealane_engine.store.view import Entry, TreeView


def copy_into(
    store: Store, base: Tree, source: TreeView, step: CopyStep[Any], *, owner: tuple[int, int] | None = None
) -> Tree:
    """`base` with the files of a COPY or ADD.

    `owner` is `step.owner` as ids (None: it has none, so root). Slow: for a thread. Raises InvalidInput and NotFound,
    worded as BuildKit does.
    """
    if step.link:
        linked = _Copying(store, SCRATCH, source, step, owner).run()
        return Tree((*base.layers, *linked.layers))
    return _Copying(store, base, source, step, owner).run()


class _Copying:
    """One COPY or ADD."""

    def __init__(
        self, store: Store, base: Tree, source: TreeView, step: CopyStep[Any], owner: tuple[int, int] | None
    ) -> None:
        self.store, self.base, self.source, self.step, self.owner = store, base, source, step, owner
        self.uid, self.gid = owner or (0, 0)
        self.mode = _mode(step)
        self.archives: list[str] = []

    def run(self) -> Tree:
        step = self.step
        found = [] if step.parents else [each for path in step.paths for each in self._sources(path)]
        dest = step.dest
        if len(found) + len(step.files) > 1 and not dest.endswith("/"):
            dest += "/"
        with self.store.edit(self.base) as edit:
            for path in step.paths if step.parents else ():
                self._copy_with_parents(edit, path)
            for path in found:
                self._copy(edit, self.source, path, dest)
            for name, content in step.files:
                self._copy(edit, self._document(name, content), posixpath.basename(name), dest)
        tree = edit.tree
        for path in self.archives:
            tree = _unpack(self.store, tree, self.source, path, apply.Archive(step.dest, self.owner))
        return tree

    def _sources(self, path: str) -> list[str]:
        """What a source means. A pattern may mean nothing; a name must be there."""
        found = matching(self.source, path, parents=self.step.parents)
        if not found and not is_pattern(path):
            raise _not_found(self.step, path)
        return found

    def _document(self, name: str, content: str) -> TreeView:
        with self.store.edit(SCRATCH) as edit:
            edit.write(f"/{posixpath.basename(name)}", content.encode())
        return self.store.view(edit.tree)

    def _copy(self, edit: Editor, source: TreeView, path: str, dest: str) -> None:
        entry = source.stat(f"/{path}")
        assert entry is not None
        excluded = Filter(exclude=self.step.exclude) if self.step.exclude else None
        if entry.kind == "dir":
            self._merge(edit, path, dest, excluded)
            return
        if excluded is not None and not excluded.match(posixpath.basename(path), False):
            return
        if self.step.unpack and source is self.source and _is_archive(source, path):
            self.archives.append(path)
            return
        self._check_file(edit, path, dest)
        edit.mkdir(dest if dest.endswith("/") else posixpath.dirname(dest), 0o755, self.uid, self.gid)
        edit.copy(source, f"/{path}", dest, uid=self.uid, gid=self.gid, mode=self.mode)

    def _merge(self, edit: Editor, path: str, dest: str, match: Filter | None) -> None:
        """What a directory holds, put into `dest`, which stays as it is if it is there."""
        there = edit.view.stat(dest)
        if there is not None and there.kind != "dir":
            raise bad(self.step.line, f"cannot copy to non-directory: {there.path}", reason="not-a-directory")
        edit.mkdir(dest, 0o755, self.uid, self.gid)
        edit.copy(self.source, f"/{path}", dest, match=match, uid=self.uid, gid=self.gid, mode=self.mode)
        if there is not None:
            edit.restore(there)

    def _copy_with_parents(self, edit: Editor, path: str) -> None:
        self._sources(path)
        above, wanted = split_parents(path)
        self._merge(edit, above, f"{self.step.dest.rstrip('/')}/", Filter((wanted,), self.step.exclude))

    def _check_file(self, edit: Editor, path: str, dest: str) -> None:
        """A file never takes the place of a directory."""
        there: Entry | None = edit.view.stat(dest)
        if there is None or there.kind != "dir":
            return
        target = f"{there.path.rstrip('/')}/{posixpath.basename(path)}"
        inside = edit.view.stat(target)
        if inside is not None and inside.kind == "dir":
            raise bad(self.step.line, f"cannot replace to directory {target} with file", reason="is-a-directory")


def _mode(step: CopyStep[Any]) -> Mode:
    if not step.mode:
        return None
    try:
        return parse_mode(step.mode)
    except ValueError:
        raise bad(
            step.line,
            f"invalid chmod parameter: '{step.mode}'. it should be octal string and between 0 and 07777",
            hint="or symbolic, as u=rwX,go=rX",
        ) from None


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
        f'failed to compute cache key: failed to calculate checksum of ref: "/{path.replace("/./", "/").lstrip("/")}": not found',
        reason="copy-source-missing",
        hint=f"line {step.line} of the Dockerfile copies it; is it left out by .dockerignore?",
    )
