"""What is signed and how it is wrapped, as cosign and in-toto have it. Bytes and JSON only: nothing here signs.

An image is signed by a *payload* ("simple signing": this repository, this digest). What is said of an image is a
*statement* (in-toto: subjects, predicate type, predicate) inside an *envelope* (DSSE), whose signature covers its type.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
SIGNATURE_TYPE = "cosign container image signature"

PROVENANCE = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
CYCLONEDX = "https://cyclonedx.org/bom"


@dataclass(frozen=True, slots=True)
class Signature:
    """Bytes as base64, and which key made them (its public half's SHA-256, in hex; empty when nobody said)."""

    base64: str
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope that was read: what is inside, and the signatures over it."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> bytes:
        return pre_authentication(self.payload_type, self.payload)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same value gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def payload(repository: str, digest: str) -> bytes:
    """What a signature of an image covers. `digest` is `sha256:…`."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": SIGNATURE_TYPE,
    }
    return canonical({"critical": critical, "optional": None})


def statement(name: str, digests: Sequence[str], predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """An in-toto statement about the images with these digests."""
    subjects = [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}} for digest in digests]
    return canonical({"_type": STATEMENT, "subject": subjects, "predicateType": predicate_type, "predicate": predicate})


def pre_authentication(payload_type: str, content: bytes) -> bytes:
    """DSSE's encoding of a payload and its type: the bytes that are signed."""
    kind = payload_type.encode()
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(content)).encode(), content))


def envelope(content: bytes, signatures: Sequence[Signature], payload_type: str = IN_TOTO) -> bytes:
    wrapped = {
        "payloadType": payload_type,
        "payload": base64.b64encode(content).decode(),
        "signatures": [{"keyid": each.key_id, "sig": each.base64} for each in signatures],
    }
    return canonical(wrapped)


def read_envelope(data: bytes) -> Envelope:
    """Raises ValueError when it is none."""
    try:
        found = json.loads(data)
        signatures = tuple(Signature(str(each["sig"]), str(each.get("keyid") or "")) for each in found["signatures"])
        return Envelope(str(found["payloadType"]), base64.b64decode(found["payload"], validate=True), signatures)
    except (binascii.Error, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a DSSE envelope: {error!r}") from None
