"""The scrubber finds every form of a secret, however the stream is cut."""

from __future__ import annotations

import base64
import json
import random
import time
from urllib.parse import quote

import pytest

from sealane_engine.secrets.scrub import Scrubber

SECRET = b'hunter2-very/secret+"x"'


def scrub(secrets: list[bytes], *pieces: bytes) -> bytes:
    scrubber = Scrubber(secrets)
    return b"".join(scrubber.feed(piece) for piece in pieces) + scrubber.flush()


def test_masks_the_raw_text() -> None:
    assert scrub([SECRET], b"a " + SECRET + b" b") == b"a *** b"


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_masks_a_secret_that_is_cut_in_two(cut: int) -> None:
    assert scrub([SECRET], b"v=" + SECRET[:cut], SECRET[cut:] + b"\n") == b"v=***\n"


def test_masks_a_secret_that_comes_byte_by_byte() -> None:
    text = b"<" + SECRET + b">"
    assert scrub([SECRET], *(text[i : i + 1] for i in range(len(text)))) == b"<***>"


def test_masks_the_trimmed_form() -> None:
    assert scrub([b"line-one-secret\n"], b"line-one-secret|") == b"***|"


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_masks_base64_at_every_offset(offset: int) -> None:
    encoded = base64.b64encode(b"x" * offset + SECRET + b"tail")
    assert b"***" in scrub([SECRET], encoded)


@pytest.mark.parametrize(
    "form",
    [
        SECRET.hex().encode(),
        SECRET.hex().upper().encode(),
        quote(SECRET, safe="").encode(),
        json.dumps(SECRET.decode()).encode(),
    ],
    ids=["hex", "HEX", "url", "json"],
)
def test_masks_encoded_forms(form: bytes) -> None:
    assert b"***" in scrub([SECRET], b"[" + form + b"]")


@pytest.mark.parametrize("secret", [b"", b"x", b" \n", b"\n"])
def test_leaves_a_log_readable_when_a_secret_is_next_to_nothing(secret: bytes) -> None:
    assert scrub([secret], b"an example with x and lines\n") == b"an example with x and lines\n"


def test_gives_back_what_only_looked_like_a_beginning() -> None:
    assert scrub([b"abcdef"], b"abcde", b"X") == b"abcdeX"


def test_prefers_the_longer_of_two_secrets() -> None:
    assert scrub([b"pass", b"pass-and-more"], b"pass-and-more") == b"***"


def test_a_large_secret_does_not_slow_a_log_down() -> None:
    """A key of 40 lines once cost a second for every three megabytes, in which the engine did nothing else."""
    secret = b"\n".join(bytes([65 + number]) * 64 for number in range(40))
    scrubber = Scrubber([secret])
    data = random.Random(1).randbytes(65_536)
    began = time.process_time()
    for _ in range(50):
        scrubber.feed(data)
    assert time.process_time() - began < 1
