"""Makes what is attached to an image, in the forms that others read: cosign's signatures and attestations, SBOMs.

Each is one manifest that names the image as its subject, so that it is found by the referrers API; signatures and
attestations lie under cosign's tags, too (`sha256-<hex>.sig`, `.att`), where cosign looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealane.attest import envelope
from sealane.attest.registry import EMPTY, MANIFEST, Descriptor, Repository, fallback_tag, manifest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealane.attest.envelope import Signature
    from sealane.attest.registry import Manifest

SIGNATURES = "application/vnd.dev.cosign.artifact.sig.v1+json"
ATTESTATIONS = "application/vnd.dev.cosign.artifact.att.v1+json"
UNSIGNED = envelope.IN_TOTO
SPDX = "application/spdx+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
SBOM_TYPES = {SPDX: envelope.SPDX, CYCLONEDX: envelope.CYCLONEDX}
"""An SBOM's media type and the type of the statement that holds it."""

SIGNATURE = "dev.cosignproject.cosign/signature"
KEY_ID = "dev.sealane.key-id"
PREDICATE = "predicateType"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True, slots=True)
class Layer:
    media_type: str
    data: bytes
    annotations: Mapping[str, str]


def signature(payload: bytes, made: Signature) -> Layer:
    return Layer(envelope.PAYLOAD, payload, {SIGNATURE: made.base64} | ({KEY_ID: made.key_id} if made.key_id else {}))


def attestation(statement: bytes, predicate_type: str, made: Signature) -> Layer:
    wrapped = envelope.envelope(statement, [made])
    return Layer(envelope.ENVELOPE, wrapped, {SIGNATURE: "", PREDICATE: predicate_type})


async def signatures(repository: Repository, subject: Descriptor, layers: Sequence[Layer]) -> None:
    await _for_cosign(repository, subject, layers, SIGNATURES, "sig")


async def attestations(repository: Repository, subject: Descriptor, layers: Sequence[Layer]) -> None:
    await _for_cosign(repository, subject, layers, ATTESTATIONS, "att")


async def document(repository: Repository, subject: Descriptor, media_type: str, data: bytes) -> None:
    """An SBOM, or a statement that nobody signed, as it is."""
    config = await repository.put_blob(EMPTY, b"{}")
    blob = await repository.put_blob(media_type, data)
    await repository.attach(_manifest(subject, media_type, config, [blob]), subject.digest)


async def _for_cosign(
    repository: Repository, subject: Descriptor, layers: Sequence[Layer], kind: str, suffix: str
) -> None:
    blobs = [await repository.put_blob(layer.media_type, layer.data, layer.annotations) for layer in layers]
    image: dict[str, Any] = {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [blob.digest for blob in blobs]},
    }
    config = await repository.put_blob(_CONFIG, envelope.canonical(image))
    made = _manifest(subject, kind, config, blobs)
    await repository.attach(made, subject.digest)
    await repository.put(made, f"{fallback_tag(subject.digest)}.{suffix}")


def _manifest(subject: Descriptor, kind: str, config: Descriptor, blobs: Sequence[Descriptor]) -> Manifest:
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": config.as_json(),
        "layers": [blob.as_json() for blob in blobs],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
    }
    return manifest_of(MANIFEST, body)
