"""Byte streams of layers."""

import gzip
import io
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable

import pytest

from sealane_engine.errors import ImageError
from sealane_engine.oci import manifest
from sealane_engine.oci.streams import (
    AHEAD_PIECES,
    Ahead,
    Compressed,
    Hashed,
    Reader,
    Verified,
    decompress,
    zstandard,
)
from sealane_engine.oci.streams import gzip as sealane_gzip

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = b"layer " * 300_000


def promised(data, **changes):
    described = manifest.describe("x", data)
    return type(described)(
        described.media_type, changes.get("digest", described.digest), changes.get("size", described.size)
    )


def test_a_blob_is_read_to_its_end_when_it_is_what_was_promised():
    assert Verified(io.BytesIO(DATA), promised(DATA), "image").read() == DATA


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_another_size_is_noticed(size):
    with pytest.raises(ImageError) as caught:
        Verified(io.BytesIO(DATA), promised(DATA, size=size), "image").read()
    assert caught.value.reason == "size-mismatch"


def test_other_content_is_noticed():
    with pytest.raises(ImageError) as caught:
        Verified(io.BytesIO(b"x" * len(DATA)), promised(DATA), "image").read()
    assert caught.value.reason == "digest-mismatch"


@pytest.mark.parametrize(
    "packed",
    [
        DATA,
        gzip.compress(DATA),
        gzip.compress(DATA[:99]) + gzip.compress(DATA[99:]),
        gzip.compress(DATA) + b"\0" * 512,
        b"",
    ],
    ids=["plain", "gzip", "two members", "padded", "empty"],
)
def test_compression_is_recognised(packed):
    assert decompress(io.BytesIO(packed)).read() == (DATA if packed else b"")


SKIPPABLE = b"\x53\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"toc!"
SQUEEZED = zstd.compress(DATA)


@pytest.mark.parametrize(
    ("packed", "data"),
    [
        (SQUEEZED, DATA),
        (SQUEEZED + SQUEEZED, DATA + DATA),
        (SQUEEZED + SKIPPABLE, DATA),
        (SKIPPABLE + SQUEEZED, DATA),
        (zstd.compress(b""), b""),
    ],
    ids=["a frame", "two frames", "a table at the end", "a frame to skip first", "empty"],
)
def test_zstd_is_read(packed: bytes, data: bytes):
    stream = decompress(io.BytesIO(packed))
    assert stream.read() == data
    assert stream.read(1) == b""


@pytest.mark.needs("zstd")
def test_zstd_and_its_program_read_each_other():
    theirs = subprocess.run(("zstd", "-q", "-c", "--long=27"), input=DATA, capture_output=True, check=True).stdout
    assert decompress(io.BytesIO(theirs)).read() == DATA
    sink = io.BytesIO()
    squeeze = zstandard(sink, 3)
    squeeze.write(DATA)
    squeeze.finish()
    back = subprocess.run(("zstd", "-q", "-d", "-c"), input=sink.getvalue(), capture_output=True, check=True)
    assert back.stdout == DATA


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(DATA)[:-10],
        gzip.compress(DATA)[:100] + b"xxxx" * 9,
        b"\x1f\x8bnonsense",
        SQUEEZED[:-20],
        SQUEEZED[:100] + b"xxxx" * 9,
        b"\x28\xb5\x2f\xfdnonsense",
        SQUEEZED + b"x",
    ],
)
def test_a_damaged_stream_is_refused(packed):
    with pytest.raises(ImageError):
        decompress(io.BytesIO(packed)).read()


def _deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return squeeze.compress(data) + squeeze.flush()


@pytest.mark.parametrize("squeezed", [_deflated, zstd.compress])
def test_a_bomb_is_stopped_while_it_grows(squeezed: Callable[[bytes], bytes]):
    stream = Hashed(decompress(io.BytesIO(squeezed(b"\0" * (64 << 20)))), 8 << 20)

    def drain():
        while stream.read(1 << 20):
            assert stream.count <= 9 << 20

    with pytest.raises(ImageError) as caught:
        drain()
    assert caught.value.reason == "layer-too-large"


def test_a_frame_that_asks_for_more_memory_than_allowed_is_refused():
    squeeze = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    with pytest.raises(ImageError) as caught:
        decompress(io.BytesIO(squeeze.compress(DATA) + squeeze.flush())).read()
    assert caught.value.reason == "bad-layer"


@pytest.mark.parametrize(("sink_of", "back"), [(sealane_gzip, gzip.decompress), (zstandard, zstd.decompress)])
def test_compressed_bytes_are_always_the_same(
    sink_of: Callable[[io.BytesIO, int], Compressed], back: Callable[[bytes], bytes]
):
    made = []
    for size in (1000, 77_777, len(DATA)):
        sink = io.BytesIO()
        squeeze = sink_of(sink, 1)
        for start in range(0, len(DATA), size):
            squeeze.write(DATA[start : start + size])
        squeeze.finish()
        made.append(sink.getvalue())
    assert len(set(made)) == 1
    assert back(made[0]) == DATA


class Counted(Reader):
    """Gives `count` pieces, then its end or an error; says when it has given so many."""

    def __init__(self, count, error=None):
        super().__init__()
        self.given, self.count, self.error = 0, count, error
        self.full = threading.Event()

    def piece(self):
        if self.given == self.count:
            if self.error is not None:
                raise self.error
            return b""
        self.given += 1
        if self.given > AHEAD_PIECES:
            self.full.set()
        return b"piece"


def test_what_is_read_ahead_is_the_same_and_its_end_is_told_again_and_again():
    ahead = Ahead(Counted(3 * AHEAD_PIECES))
    assert ahead.read() == b"piece" * 3 * AHEAD_PIECES
    assert ahead.read(1) == ahead.read(1) == b""
    ahead.close()


def test_an_error_of_what_is_read_ahead_comes_after_the_pieces_before_it():
    ahead = Ahead(Counted(2, ImageError("bad", reason="bad-layer")))
    assert ahead.read(5) + ahead.read(5) == b"piecepiece"
    for _ in range(2):
        with pytest.raises(ImageError):
            ahead.read(1)
    ahead.close()


def test_a_reader_ahead_stops_when_it_is_closed_and_never_holds_more_than_its_bound():
    source = Counted(1_000_000)
    ahead = Ahead(source)
    assert source.full.wait(10)
    assert source.given == AHEAD_PIECES + 1
    ahead.close()
    assert source.given <= 3 * AHEAD_PIECES
    assert not ahead._thread.is_alive()
