"""What is signed, byte by byte, and what a Dockerfile takes from outside."""

import json

import pytest

from sealane.attest import envelope, ingredients
from sealane.stages import dockerfile

DOCKERFILE = """
ARG VERSION=3.11
ARG DEBIAN
FROM python:${VERSION}-slim${DEBIAN:+-$DEBIAN} AS base
FROM node:18 AS unused
FROM base AS builder
ADD --checksum=sha256:aa https://example.org/a.tgz https://example.org/b.tgz /opt/
RUN --mount=type=bind,from=tools:1,target=/t <<EOT
FROM not/an:image
EOT
FROM scratch
ARG BUILD_ID=none VCS_REF
COPY --from=2 /opt /opt
COPY --from=busybox:1 /bin/sh /bin/sh
"""


def test_the_pre_authentication_encoding_is_that_of_the_dsse_specification():
    # the example of https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    found = envelope.pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert found == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_an_envelope_is_read_back():
    made = envelope.envelope(b"{}", [envelope.Signature("c2ln", "key")])
    found = envelope.read_envelope(made)
    assert (found.payload, found.payload_type, found.signatures[0].key_id) == (b"{}", envelope.IN_TOTO, "key")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"payload": 1}', b'{"payloadType":"a","payload":"?","signatures":[]}']
)
def test_what_is_no_envelope(data):
    with pytest.raises(ValueError, match=r"."):
        envelope.read_envelope(data)


def test_a_payload_is_cosigns():
    critical = json.loads(envelope.payload("r.example/a", "sha256:0"))["critical"]
    assert critical["image"] == {"docker-manifest-digest": "sha256:0"}
    assert critical["type"] == "cosign container image signature"


def test_ingredients_are_those_of_the_stages_that_are_needed():
    found = ingredients.read(DOCKERFILE, "", {"VERSION": "3.12"})
    assert found.images == ("busybox:1", "python:3.12-slim", "tools:1")
    assert found.downloads == (("https://example.org/a.tgz", "sha256:aa"), ("https://example.org/b.tgz", "sha256:aa"))
    assert found.steps[0] == "FROM python:3.12-slim AS base"
    assert not any("node:18" in step for step in found.steps)


def test_ingredients_of_another_target():
    assert ingredients.read(DOCKERFILE, "unused", {}).images == ("node:18",)
    assert ingredients.read(DOCKERFILE, "base", {"DEBIAN": "bookworm"}).images == ("python:3.11-slim-bookworm",)


def test_declared_arguments():
    assert dockerfile.arguments(DOCKERFILE) == {"VERSION", "DEBIAN", "BUILD_ID", "VCS_REF"}
