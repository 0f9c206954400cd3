"""Byte streams of layers."""

import gzip
import io
import shutil
import subprocess
import threading
import zlib

import pytest

from sealane_engine.errors import ImageError
from sealane_engine.oci import manifest
from sealane_engine.oci.streams import AHEAD_PIECES, Ahead, Gzip, Hashed, Reader, Verified, decompress

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


def test_zstd_is_read_by_its_program():
    if shutil.which("zstd") is None:
        pytest.skip("needs zstd")
    packed = subprocess.run(("zstd", "-q", "-c"), input=DATA, capture_output=True, check=True).stdout
    stream = decompress(io.BytesIO(packed))
    assert stream.read() == DATA
    stream.close()
    damaged = decompress(io.BytesIO(packed[:-20]))
    with pytest.raises(ImageError):
        damaged.read()
    damaged.close()


@pytest.mark.parametrize(
    "packed", [gzip.compress(DATA)[:-10], gzip.compress(DATA)[:100] + b"xxxx" * 9, b"\x1f\x8bnonsense"]
)
def test_a_damaged_stream_is_refused(packed):
    with pytest.raises(ImageError):
        decompress(io.BytesIO(packed)).read()


def test_a_bomb_is_stopped_while_it_grows():
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = squeeze.compress(b"\0" * (64 << 20)) + squeeze.flush()
    stream = Hashed(decompress(io.BytesIO(bomb)), 8 << 20)

    def drain():
        while stream.read(1 << 20):
            assert stream.count <= 9 << 20

    with pytest.raises(ImageError) as caught:
        drain()
    assert caught.value.reason == "layer-too-large"


def test_compressed_bytes_are_always_the_same():
    made = []
    for size in (1000, 77_777):
        sink = io.BytesIO()
        squeeze = Gzip(sink, 1)
        for start in range(0, len(DATA), size):
            squeeze.write(DATA[start : start + size])
        squeeze.finish()
        made.append(sink.getvalue())
    assert made[0] == made[1]
    assert gzip.decompress(made[0]) == DATA


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
