"""The lock file: what it says, how it is written, and what is said of one that can't be read."""

import pytest

from sealane_engine.errors import ImageError, InvalidInput
from sealane_engine.images import pins
from sealane_engine.oci import reference

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
AMD, ARM = "linux/amd64", "linux/arm64"


def locked(text, mode="frozen"):
    return pins.Pins(text.encode(), mode)


def test_what_is_written_is_sorted_and_read_again_as_it_was():
    lock = pins.Lock(
        {ARM: {"python:3.11-slim": TWO}, AMD: {"python:3.11-slim": ONE, "debian:12": TWO}},
        {AMD: {"redis:7": ONE}},
        {AMD: {"zlib1g": "1", "libstdc++6": "12.2.0"}},
    )
    text = lock.text()
    assert pins.parse(text.encode()) == lock
    keys = [line.partition(" =")[0] for line in text.splitlines() if line.startswith('"')]
    assert keys == [
        '"debian:12"', '"python:3.11-slim"', '"python:3.11-slim"', '"redis:7"', '"libstdc++6"', '"zlib1g"',
    ]  # fmt: skip
    assert lock.pins[("redis:7", AMD)] == pins.Pin(ONE, catalog=True)


def test_a_reference_is_found_however_it_is_written():
    lock = pins.Lock({AMD: {"python:3.11-slim": ONE, "ghcr.io/a/b:1": TWO, "debian:latest": ONE}})
    assert lock.pin("docker.io/library/python:3.11-slim", AMD) == pins.Pin(ONE)
    assert lock.pin("index.docker.io/library/python:3.11-slim", AMD) == pins.Pin(ONE)
    assert lock.pin("ghcr.io/a/b:1", AMD) == pins.Pin(TWO)
    assert lock.pin("debian", AMD) == pins.Pin(ONE)
    assert lock.pin("python:3.11-slim", ARM) is None
    assert lock.pin("ghcr.io/library/python:3.11-slim", AMD) is None


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("version = 1\n<<<<<<< ours\n", "lock-conflict", 2),
        ('version = 1\n[images."linux/amd64"]\n=======\n', "lock-conflict", 3),
        ("version = 1\n\nwhat is this\n", "bad-lock", 3),
        ('version = 1\n[images."linux/amd64"]\n"a:1" = "sha256:12"\n', "bad-lock", 3),
        ('version = 1\n[images."linux/amd64"]\n"a:1" = 7\n', "bad-lock", 3),
        ('version = 1\n[images]\n"linux/amd64" = "x"\n', "bad-lock", 3),
        ("version = 1\n[image]\n", "bad-lock", 2),
        ("version = 1\nimages = 3\n", "bad-lock", 2),
        ('version = 1\n[images."linux/amd64"]\n"a:1" = "sha256:', "bad-lock", 3),
    ],
)
def test_a_bad_file_is_an_error_with_its_line_and_a_remedy(text, reason, line):
    with pytest.raises(InvalidInput) as caught:
        pins.parse(text.encode())
    assert caught.value.reason == reason
    assert caught.value.message.startswith(f"sealane.lock:{line}: ")
    assert "sealane lock" in caught.value.hint


def test_bytes_that_are_no_text_have_a_line_too():
    with pytest.raises(InvalidInput) as caught:
        pins.parse(b"version = 1\n\n# \xff\n")
    assert (caught.value.reason, caught.value.message[:15]) == ("bad-lock", "sealane.lock:3:")


@pytest.mark.parametrize("text", ["", "version = 2\n", 'version = "1"\n'])
def test_another_version_is_not_guessed_at(text):
    with pytest.raises(InvalidInput) as caught:
        pins.parse(text.encode())
    assert caught.value.reason == "lock-version"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        pins.read(tmp_path / "sealane.lock")
    assert caught.value.reason == "no-lock"


def test_frozen_refuses_what_is_not_pinned_and_says_how_to_pin_it():
    found = locked(pins.Lock({AMD: {"python:3.11-slim": ONE}}).text())
    assert found.find(reference.parse("python:3.11-slim"), AMD) == pins.Pin(ONE)
    with pytest.raises(ImageError) as caught:
        found.find(reference.parse("python:3.11-slim"), ARM)
    assert caught.value.reason == "not-locked"
    assert "sealane lock --platform linux/arm64 python:3.11-slim" in caught.value.hint
    assert found.find(reference.parse(f"python@{ONE}"), ARM) is None  # a digest needs no pin


def test_the_modes_decide_what_a_pin_means():
    text = pins.Lock({AMD: {"python:3.11-slim": ONE}}).text()
    wanted = reference.parse("python:3.11-slim")
    assert locked(text, "pinned").find(wanted, AMD) == pins.Pin(ONE)
    assert locked(text, "pinned").find(reference.parse("node:18"), AMD) is None
    assert locked(text, "live").find(wanted, AMD) is None
    assert locked("<<<<<<< ", "disabled").find(wanted, AMD) is None


def test_what_is_kept_of_functions_knows_which_pins_held():
    text = pins.Lock({AMD: {"python:3.11-slim": ONE}}).text()
    digests = {locked(text, mode).digest for mode in ("live", "pinned", "frozen")}
    assert len(digests) == 3
    assert pins.Pins().digest == ""
    assert locked(text + "\n", "pinned").digest not in digests
