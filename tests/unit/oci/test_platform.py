"""Platforms: one spelling for each."""

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.oci.platform import normalised


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("arm64", "linux/arm64"),
        ("windows", "windows/amd64"),
        ("macOS/arm64", "darwin/arm64"),
        ("linux/s390x", "linux/s390x"),
    ],
)
def test_one_spelling(text, expected):
    assert normalised(text, "linux/amd64") == expected


@pytest.mark.parametrize("text", ["windows98", "", "/", "linux/", "linux/amd64/v1/x", "linux/pdp11", "beos/amd64"])
def test_what_is_none_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        normalised(text, "linux/amd64")
    assert caught.value.reason == "bad-platform"
