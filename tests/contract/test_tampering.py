"""Images in a real registry, signed with OpenSSL: one that holds, and each way to forge what is said of it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from sealane.attest import attach, envelope, keys, registry, verify
from sealane.attest.registry import MANIFEST, Descriptor, Repository
from sealane.config.image import VerifyConfig

from .registry import LocalRegistry, local_registry

pytestmark = [pytest.mark.needs("docker-registry"), pytest.mark.timeout(120)]

BUILDER = "urn:test:builder"
POLICY = VerifyConfig(builder=BUILDER, source="owner/*", bases=("docker.io/library/python:*",))
SBOM = {"spdxVersion": "SPDX-2.3", "packages": [{"name": "openssl"}]}
PROVENANCE: dict[str, Any] = {
    "buildDefinition": {
        "externalParameters": {"source": {"repository": "owner/app", "commit": "0" * 40}},
        "resolvedDependencies": [
            {"uri": "git+owner/app", "name": "source", "digest": {"gitCommit": "0" * 40}},
            {"uri": "docker-image://docker.io/library/python:3.11", "digest": {"sha256": "1" * 64}},
        ],
    },
    "runDetails": {"builder": {"id": BUILDER}},
}


@dataclass(frozen=True)
class KeyPair:
    file: Path

    def sign(self, data: bytes) -> envelope.Signature:
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.file)]
        made = subprocess.run(command, input=data, capture_output=True, check=True).stdout
        return envelope.Signature(base64.b64encode(made).decode(), self.public.id)

    @property
    def public(self) -> keys.PublicKey:
        command = ["openssl", "pkey", "-in", str(self.file), "-pubout"]
        return keys.read(subprocess.run(command, capture_output=True, check=True, text=True).stdout, "the key")


def key_pair(folder: Path, name: str) -> KeyPair:
    file = folder / name
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return KeyPair(file)


@dataclass
class Forgery:
    """What is pushed; a test changes one thing of it. None for what is left out."""

    key: KeyPair
    digest: str
    payload: bytes | None = None
    signature: envelope.Signature | None = None
    payload_type: str = envelope.IN_TOTO
    predicate: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(PROVENANCE)))
    predicate_type: str = envelope.PROVENANCE
    claimed: str = envelope.PROVENANCE
    subject: str = ""
    sbom: dict[str, Any] | None = field(default_factory=lambda: dict(SBOM))
    signed: bool = True
    content: bytes | None = None

    async def push(self, repository: Repository, image: Descriptor) -> None:
        if self.signed:
            payload = self.payload or envelope.payload(repository.where.repository, self.digest)
            signature = self.signature or self.key.sign(payload)
            await attach.signatures(repository, image, [attach.signature(payload, signature)])
        subject = self.subject or self.digest
        made = envelope.statement("app", [subject], self.predicate_type, self.predicate)
        signature = self.key.sign(envelope.pre_authentication(self.payload_type, made))
        wrapped = envelope.envelope(self.content or made, [signature], self.payload_type)
        provenance = attach.Layer(envelope.ENVELOPE, wrapped, {attach.PREDICATE: self.claimed})
        listed = envelope.statement("app", [self.digest], envelope.SPDX, SBOM)
        signature = self.key.sign(envelope.pre_authentication(envelope.IN_TOTO, listed))
        layers = [provenance, attach.attestation(listed, envelope.SPDX, signature)]
        await attach.attestations(repository, image, layers)
        if self.sbom is not None:
            await attach.document(repository, image, attach.SPDX, json.dumps(self.sbom).encode())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"), "key.pem")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    with local_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def judged(host: LocalRegistry, pair: KeyPair, request: pytest.FixtureRequest):
    """Push an image with what `change` makes of what is said of it, and verify it."""
    name = "".join(c for c in request.node.name.lower() if c.isalnum())

    async def work(change, policy):
        where = registry.address(f"{host.host}/{name}:v1")
        async with Repository(where) as repository:
            config = await repository.put_blob("application/vnd.oci.image.config.v1+json", name.encode())
            body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config.as_json(), "layers": []}
            made = registry.manifest_of(MANIFEST, body)
            await repository.put(made, "v1")
            forgery = Forgery(pair, made.digest)
            change(forgery)
            await forgery.push(repository, made.described())
            return verify.judge(await verify.fetch(repository), pair.public, policy)

    def run(change, policy=POLICY) -> list[str]:
        return [each.reason for each in anyio.run(work, change, policy).problems]

    return run


def nothing(_forgery: Forgery) -> None: ...


def test_what_is_signed_and_whole_passes(judged):
    assert judged(nothing) == []


def payload(forgery: Forgery) -> None:
    """Another image's digest is put into the payload; the signature is the old one's."""
    forgery.signature = forgery.key.sign(envelope.payload("app", forgery.digest))
    forgery.payload = envelope.payload("app", "sha256:" + "2" * 64)


def subject_of_the_signature(forgery: Forgery) -> None:
    forgery.payload = envelope.payload("app", "sha256:" + "2" * 64)


def type_of_the_payload(forgery: Forgery) -> None:
    forgery.payload = envelope.payload("app", forgery.digest).replace(b"cosign container image signature", b"a letter")


def signature_bytes(forgery: Forgery) -> None:
    made = forgery.key.sign(envelope.payload("app", forgery.digest))
    forgery.signature = replace(
        made, base64=made.base64[:20] + ("A" if made.base64[20] != "A" else "B") + made.base64[21:]
    )


def signature_that_is_none(forgery: Forgery) -> None:
    forgery.signature = envelope.Signature("?", forgery.key.public.id)


def no_signature(forgery: Forgery) -> None:
    forgery.signed = False


def statement(forgery: Forgery) -> None:
    forgery.content = envelope.statement("app", [forgery.digest], envelope.PROVENANCE, {**PROVENANCE, "evil": True})


def subject_of_the_statement(forgery: Forgery) -> None:
    forgery.subject = "sha256:" + "2" * 64


def type_of_the_envelope(forgery: Forgery) -> None:
    forgery.payload_type = "text/plain"


def other_predicate_type(forgery: Forgery) -> None:
    forgery.predicate_type = "https://example.org/poem"


def builder(forgery: Forgery) -> None:
    forgery.predicate["runDetails"]["builder"]["id"] = "urn:somebody"


def source(forgery: Forgery) -> None:
    forgery.predicate["buildDefinition"]["externalParameters"]["source"]["repository"] = "thief/app"


def material_without_a_digest(forgery: Forgery) -> None:
    forgery.predicate["buildDefinition"]["resolvedDependencies"][1]["digest"] = {}


def other_base(forgery: Forgery) -> None:
    forgery.predicate["buildDefinition"]["resolvedDependencies"][1]["uri"] = "docker-image://evil.example/python:3.11"


def no_materials(forgery: Forgery) -> None:
    forgery.predicate["buildDefinition"]["resolvedDependencies"] = []


def swapped_sbom(forgery: Forgery) -> None:
    forgery.sbom = {**SBOM, "packages": []}


def missing_referrer(forgery: Forgery) -> None:
    forgery.sbom = None


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (payload, ["signature-invalid"]),
        (subject_of_the_signature, ["subject-mismatch"]),
        (type_of_the_payload, ["payload-type"]),
        (signature_bytes, ["signature-invalid"]),
        (signature_that_is_none, ["signature-malformed"]),
        (no_signature, ["signature-missing"]),
        (statement, ["signature-invalid", "provenance-missing"]),
        (subject_of_the_statement, ["subject-mismatch", "provenance-missing"]),
        (type_of_the_envelope, ["payload-type", "provenance-missing"]),
        (other_predicate_type, ["predicate-type", "provenance-missing"]),
        (builder, ["builder-mismatch"]),
        (source, ["source-mismatch"]),
        (material_without_a_digest, ["material-without-digest"]),
        (other_base, ["base-not-allowed"]),
        (no_materials, ["materials-missing"]),
        (swapped_sbom, ["sbom-swapped"]),
        (missing_referrer, ["sbom-not-attached"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_forgery_is_refused_with_its_reason(judged, change, reasons):
    assert judged(change) == reasons


def test_another_key_is_refused(judged, tmp_path: Path):
    def change(forgery: Forgery) -> None:
        forgery.key = key_pair(tmp_path, "other.pem")

    assert judged(change) == ["other-key", "provenance-missing", "sbom-missing"]


def test_another_key_that_lies_about_its_name_is_refused(judged, tmp_path: Path, pair: KeyPair):
    def change(forgery: Forgery) -> None:
        made = key_pair(tmp_path, "other.pem").sign(envelope.payload("app", forgery.digest))
        forgery.payload = envelope.payload("app", forgery.digest)
        forgery.signature = replace(made, key_id=pair.public.id)

    assert judged(change) == ["signature-invalid"]


def test_what_the_policy_does_not_require_may_be_missing(judged):
    assert judged(no_signature, VerifyConfig(require=("provenance", "sbom"))) == []
