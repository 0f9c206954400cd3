"""Byte streams of layers: verified while they are read, decompressed within bounds, compressed the same way each time."""

from __future__ import annotations

import contextlib
import hashlib
import io
import queue
import sys
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol

from sealane_engine.errors import ImageError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from sealane_engine.oci.descriptor import Descriptor

CHUNK = 1 << 20
AHEAD_PIECES = 4
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after 50 to 5f: a frame of zstd that holds no data
_WBITS_GZIP = 31
_WINDOW_LOG = 27
"""The memory that a frame of zstd may ask for, as the `zstd` command has it: 128 MB."""


class Reader(io.RawIOBase):
    """Base of the readers here: subclasses give the next piece, b"" at the end."""

    def __init__(self) -> None:
        self._rest = memoryview(b"")

    def piece(self) -> bytes:
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        if not self._rest:
            self._rest = memoryview(self.piece())
        out, self._rest = self._rest[:size], self._rest[size:]
        return bytes(out)


class Verified(Reader):
    """A blob's bytes: the end is reached only if they have the size and digest that was promised."""

    def __init__(self, source: BinaryIO, promised: Descriptor, name: str) -> None:
        super().__init__()
        self._source, self._promised, self._name = source, promised, name
        self._hash, self._count = hashlib.sha256(), 0

    def piece(self) -> bytes:
        data = self._source.read(CHUNK)
        self._count += len(data)
        self._hash.update(data)
        promised = self._promised
        if self._count > promised.size or (not data and self._count < promised.size):
            what = "more" if data else f"only {self._count}"
            raise ImageError(
                f"{self._name}: blob {promised.digest} has {what} bytes, not {promised.size}", reason="size-mismatch"
            )
        if not data and f"sha256:{self._hash.hexdigest()}" != promised.digest:
            raise ImageError(
                f"{self._name}: blob {promised.digest} has other content: sha256:{self._hash.hexdigest()}",
                reason="digest-mismatch",
            )
        return data


class Hashed(Reader):
    """Counts and hashes what is read; more than `limit` bytes are an error."""

    def __init__(self, source: BinaryIO, limit: int) -> None:
        super().__init__()
        self._source, self._limit = source, limit
        self._hash, self.count = hashlib.sha256(), 0

    def piece(self) -> bytes:
        data = self._source.read(CHUNK)
        self.count += len(data)
        if self.count > self._limit:
            raise ImageError(f"layer is larger than {self._limit} bytes when unpacked", reason="layer-too-large")
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class Ahead(Reader):
    """What another reader gives, read in a thread while earlier pieces are worked on. Close it when done."""

    def __init__(self, source: Reader) -> None:
        super().__init__()
        self._source = source
        self._pieces: queue.Queue[bytes | BaseException] = queue.Queue(AHEAD_PIECES)
        self._last: bytes | BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        found: bytes | BaseException = b"more"
        while found and not self._stopped.is_set() and not isinstance(found, BaseException):
            try:
                found = self._source.piece()
            except BaseException as error:  # noqa: BLE001 - raised again by whoever reads
                found = error
            self._pieces.put(found)

    def piece(self) -> bytes:
        if self._last is None:
            found = self._pieces.get()
            if found and not isinstance(found, BaseException):
                return found
            self._last = found
        if isinstance(self._last, BaseException):
            raise self._last
        return self._last

    def close(self) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):  # it may wait for room
                self._pieces.get_nowait()
            self._thread.join(0.01)
        super().close()


class _Gunzip(Reader):
    def __init__(self, source: BinaryIO, head: bytes) -> None:
        super().__init__()
        self._source, self._input = source, head
        self._inflate = zlib.decompressobj(_WBITS_GZIP)

    def piece(self) -> bytes:
        while True:
            data = self._input or self._source.read(CHUNK)
            self._input = b""
            if not data:
                if not self._inflate.eof:
                    raise ImageError("layer's gzip stream ends early", reason="bad-layer")
                return b""
            if self._inflate.eof:
                if not data.strip(b"\0"):
                    continue  # padding after the last member
                self._inflate = zlib.decompressobj(_WBITS_GZIP)
            try:
                out = self._inflate.decompress(data, CHUNK)
            except zlib.error as error:
                raise ImageError(f"layer's gzip stream is damaged: {error}", reason="bad-layer") from error
            # Bounded output: a bomb is seen while it grows.
            self._input = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if out:
                return out


class _Unzstd(Reader):
    def __init__(self, source: BinaryIO, head: bytes) -> None:
        super().__init__()
        self._source, self._input = source, head
        self._frame = _zstd_frame()

    def piece(self) -> bytes:
        while True:
            data = b""
            if self._frame.eof:
                data = self._frame.unused_data or self._source.read(CHUNK)
                if not data:
                    return b""
                self._frame = _zstd_frame()
            elif self._frame.needs_input:
                data, self._input = self._input or self._source.read(CHUNK), b""
                if not data:
                    raise ImageError("layer's zstd stream ends early", reason="bad-layer")
            try:
                out = self._frame.decompress(data, CHUNK)  # bounded, as above
            except zstd.ZstdError as error:
                raise ImageError(f"layer's zstd stream is damaged: {error}", reason="bad-layer") from error
            if out:
                return out


def _zstd_frame() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})


class _Plain(Reader):
    def __init__(self, source: BinaryIO, head: bytes) -> None:
        super().__init__()
        self._source, self._head = source, head

    def piece(self) -> bytes:
        head, self._head = self._head, b""
        return head or self._source.read(CHUNK)


def decompress(source: BinaryIO) -> Reader:
    """The tar stream of a layer, whatever it is compressed with; close it when done."""
    head = b""
    while len(head) < len(_ZSTD):
        more = source.read(CHUNK)
        if not more:
            break
        head += more
    if head.startswith(_GZIP):
        return _Gunzip(source, head)
    if head.startswith(_ZSTD) or (head[1:4] == _SKIPPABLE and head[0] >> 4 == 5):
        return _Unzstd(source, head)
    return _Plain(source, head)


class _Compressor(Protocol):
    def compress(self, data: memoryview, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Compressed(io.RawIOBase):
    """A sink that compresses to another sink, the same way each time."""

    def __init__(self, sink: BinaryIO, compressor: _Compressor) -> None:
        self._sink, self._compressor = sink, compressor

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        self._sink.write(self._compressor.compress(view))
        return len(view)

    def finish(self) -> None:
        self._sink.write(self._compressor.flush())


def gzip(sink: BinaryIO, level: int) -> Compressed:
    """No time, no name in the header: equal input gives equal output."""
    return Compressed(sink, zlib.compressobj(level, zlib.DEFLATED, _WBITS_GZIP))


def zstandard(sink: BinaryIO, level: int) -> Compressed:
    """One frame."""
    return Compressed(sink, zstd.ZstdCompressor(level=level))
