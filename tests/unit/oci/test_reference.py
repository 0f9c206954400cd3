"""Image references as users write them."""

import pytest

from sealane_engine.errors import InvalidInput
from sealane_engine.oci.reference import parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("me/app:1", "docker.io/me/app:1"),
        ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x:1", "localhost:5000/x:1"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        (f"debian@{DIGEST}", f"docker.io/library/debian@{DIGEST}"),
        (f"debian:12@{DIGEST}", f"docker.io/library/debian:12@{DIGEST}"),
    ],
)
def test_a_reference_has_one_canonical_form(text, canonical):
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UPPER CASE//",
        "Debian",
        "a//b",
        "a:b:c",
        "a@sha256:12",
        "a:",
        "a@",
        "-x/y",
        "x y",
        "../a",
        "a/.b",
        "a:tag with",
        "x" * 300,
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert caught.value.reason == "bad-reference"
    assert str(caught.value) == f"failed to parse image address {text}: invalid reference format"


def test_the_familiar_form_is_what_a_user_writes():
    assert parse("docker.io/library/python:3.11-slim").familiar == "python:3.11-slim"
    assert parse("ghcr.io/a/b:1").familiar == "ghcr.io/a/b:1"
