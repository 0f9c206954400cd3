"""Verifies an image: its signature, provenance and SBOMs, against a policy, with nothing but its registry and a key.

First everything is fetched, then judged: the same evidence gives the same verdict, and each complaint has a reason.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealane.attest import attach, envelope
from sealane.attest.registry import fallback_tag
from sealane.errors import NotVerified

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sealane.attest.keys import PublicKey
    from sealane.attest.registry import Manifest, Repository
    from sealane.config.image import VerifyConfig


@dataclass(frozen=True, slots=True)
class Problem:
    """A slug, and what is wrong in words."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature with what it is over: a payload, or a statement in its envelope."""

    data: bytes
    signature: envelope.Signature


@dataclass(frozen=True, slots=True)
class Attested:
    """A statement in its envelope; `claimed` is the type that its place in the registry gives it."""

    wrapped: envelope.Envelope
    claimed: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is attached to one image (or index): by its digest."""

    digest: str
    platform: str = ""
    signatures: tuple[Signed, ...] = ()
    attestations: tuple[Attested, ...] = ()
    documents: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """An image as its registry has it: the top, and each platform's image (the top itself when it is one)."""

    repository: str
    top: Evidence
    images: tuple[Evidence, ...]

    @property
    def all(self) -> tuple[Evidence, ...]:
        return tuple({each.digest: each for each in (self.top, *self.images)}.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an image is what the policy wants, and what was seen of it."""

    digest: str
    problems: tuple[Problem, ...]
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems


# ------------------------------------------------------------------ fetching


async def fetch(repository: Repository) -> Found:
    """Everything that is attached to the image that the repository's address names. Raises NotVerified, RegistryFailed."""
    top = await repository.manifest(repository.where.identifier)
    if top is None:
        raise NotVerified(f"{repository.where}: there is no such image", reason="no-image", hint="Check the address.")
    found = await _evidence(repository, top.digest, "")
    if not top.is_index:
        return Found(repository.where.repository, found, (found,))
    platforms = [each for each in top.blobs("manifests") if each.platform and not each.platform.startswith("unknown")]
    images = [await _evidence(repository, each.digest, each.platform) for each in platforms]
    return Found(repository.where.repository, found, tuple(images))


async def _evidence(repository: Repository, digest: str, platform: str) -> Evidence:
    signatures: list[Signed] = []
    attestations: list[Attested] = []
    documents: dict[str, tuple[bytes, ...]] = {}
    unreadable: list[str] = []
    for manifest in await _attached(repository, digest):
        for layer in manifest.blobs():
            data = await repository.blob(layer)
            if layer.media_type == envelope.PAYLOAD:
                made = envelope.Signature(
                    layer.annotations.get(attach.SIGNATURE, ""), layer.annotations.get(attach.KEY_ID, "")
                )
                signatures.append(Signed(data, made))
            elif layer.media_type == envelope.ENVELOPE:
                try:
                    attestations.append(
                        Attested(envelope.read_envelope(data), layer.annotations.get(attach.PREDICATE, ""))
                    )
                except ValueError as error:
                    unreadable.append(str(error))
            elif layer.media_type in attach.SBOM_TYPES:
                documents[layer.media_type] = (*documents.get(layer.media_type, ()), data)
    return Evidence(digest, platform, tuple(signatures), tuple(attestations), documents, tuple(unreadable))


async def _attached(repository: Repository, digest: str) -> list[Manifest]:
    """Each once: what the registry lists for the image, and what lies under cosign's tags."""
    listed = [await repository.manifest(each.digest) for each in await repository.referrers(digest)]
    tagged = [await repository.manifest(f"{fallback_tag(digest)}.{suffix}") for suffix in ("sig", "att")]
    return list({each.digest: each for each in (*listed, *tagged) if each is not None}.values())


# ------------------------------------------------------------------ judging


def judge(found: Found, key: PublicKey, policy: VerifyConfig) -> Verdict:
    """What the policy asks for, looked for in what was found."""
    problems: list[Problem] = []
    facts: list[tuple[str, str]] = []
    if "signature" in policy.require:
        problems += _signatures(found, key)
    trusted, complaints = _statements(found, key)
    problems += complaints
    if "provenance" in policy.require:
        wanted = [s for s in trusted.get(found.top.digest, ()) if s["predicateType"] == envelope.PROVENANCE]
        problems += _provenance(wanted, policy, facts) if wanted else [_missing(found.top, "provenance", complaints)]
    if "sbom" in policy.require:
        for image in found.images:
            problems += _sboms(image, trusted.get(image.digest, ()), complaints)
    return Verdict(found.top.digest, tuple(dict.fromkeys(problems)), tuple(facts))


def _missing(where: Evidence, what: str, instead: Iterable[Problem] = ()) -> Problem:
    """That nothing good was found; what was bad about what was found is said beside it."""
    more = "; what is there does not count" if list(instead) else ""
    return Problem(f"{what}-missing", f"{_name(where)} has no {what} that this key has signed{more}")


def _name(where: Evidence) -> str:
    return f"{where.digest[:19]}… ({where.platform})" if where.platform else f"{where.digest[:19]}…"


def _signatures(found: Found, key: PublicKey) -> list[Problem]:
    """One good signature of the top is enough; without one, what is wrong with each that is there."""
    problems: list[Problem] = []
    for signed in found.top.signatures:
        wrong = _wrong_signature(signed.data, signed.signature, key) or _wrong_payload(signed.data, found.top.digest)
        if wrong is None:
            return []
        problems.append(wrong)
    return problems or [_missing(found.top, "signature")]


def _wrong_signature(data: bytes, made: envelope.Signature, key: PublicKey) -> Problem | None:
    if made.key_id and made.key_id != key.id:
        return Problem("other-key", f"it is signed by the key {made.key_id[:16]}…, not by {key.id[:16]}…")
    try:
        raw = base64.b64decode(made.base64, validate=True)
    except binascii.Error:
        raw = b""
    if not raw:
        return Problem("signature-malformed", "a signature is no base64")
    if not key.verifies(data, raw):
        return Problem("signature-invalid", "a signature does not match what it covers, or was made by another key")
    return None


def _wrong_payload(data: bytes, digest: str) -> Problem | None:
    try:
        critical = json.loads(data)["critical"]
        kind, signed = critical["type"], critical["image"]["docker-manifest-digest"]
    except (ValueError, KeyError, TypeError):
        return Problem("payload-malformed", "a signed payload can't be read")
    if kind != envelope.SIGNATURE_TYPE:
        return Problem("payload-type", f"a signed payload is a {kind!r}, no image's signature")
    if signed != digest:
        return Problem("subject-mismatch", f"a signature is for {signed}, not for {digest}")
    return None


Statement = dict[str, Any]


def _statements(found: Found, key: PublicKey) -> tuple[dict[str, list[Statement]], list[Problem]]:
    """The statements that are signed and about the image that they hang on, by its digest; and what is wrong with others."""
    good: dict[str, list[Statement]] = {}
    problems: list[Problem] = []
    for where in found.all:
        problems += [Problem("envelope-malformed", text) for text in where.unreadable]
        for attested in where.attestations:
            statement = _statement(attested, where.digest, key)
            if isinstance(statement, Problem):
                problems.append(statement)
            else:
                good.setdefault(where.digest, []).append(statement)
    return good, problems


def _statement(attested: Attested, digest: str, key: PublicKey) -> Statement | Problem:
    wrapped = attested.wrapped
    if wrapped.payload_type != envelope.IN_TOTO:
        return Problem("payload-type", f"an envelope holds {wrapped.payload_type!r}, no in-toto statement")
    wrongs = [_wrong_signature(wrapped.signed, each, key) for each in wrapped.signatures]
    if all(wrongs):
        return wrongs[0] if wrongs and wrongs[0] else Problem("signature-missing", "an envelope has no signature")
    try:
        statement: Statement = json.loads(wrapped.payload)
        subjects = [f"sha256:{each['digest']['sha256']}" for each in statement["subject"]]
        kind = statement["predicateType"]
    except (ValueError, KeyError, TypeError):
        return Problem("statement-malformed", "a signed statement can't be read")
    if digest not in subjects:
        return Problem("subject-mismatch", f"a statement is about {', '.join(subjects)}, not about {digest}")
    if attested.claimed and attested.claimed != kind:
        return Problem("predicate-type", f"a statement is {kind}, and lies where {attested.claimed} should be")
    return statement


def _provenance(statements: list[Statement], policy: VerifyConfig, facts: list[tuple[str, str]]) -> list[Problem]:
    """One that holds is enough; else what is wrong with the first."""
    first: list[Problem] = []
    for statement in statements:
        try:
            problems = _one_provenance(statement["predicate"], policy, facts)
        except (KeyError, TypeError, AttributeError) as error:
            problems = [Problem("provenance-malformed", f"the provenance can't be read: {error!r}")]
        if not problems:
            return []
        first = first or problems
    return first


def _one_provenance(predicate: Mapping[str, Any], policy: VerifyConfig, facts: list[tuple[str, str]]) -> list[Problem]:
    builder = str(predicate["runDetails"]["builder"]["id"])
    source = predicate["buildDefinition"]["externalParameters"].get("source") or {}
    materials = predicate["buildDefinition"]["resolvedDependencies"]
    when = (predicate["runDetails"].get("metadata") or {}).get("startedOn", "")
    facts += [("builder", builder), ("source", f"{source.get('repository', '')}@{source.get('commit', '')}")]
    facts += [("ref", str(source.get("ref", ""))), ("time", str(when))]
    problems: list[Problem] = []
    if policy.builder and builder != policy.builder:
        problems.append(Problem("builder-mismatch", f"it was built by {builder}, not by {policy.builder}"))
    repository = str(source.get("repository", ""))
    if policy.source and not fnmatch.fnmatchcase(repository, policy.source):
        problems.append(Problem("source-mismatch", f"its source is {repository!r}, not {policy.source}"))
    if not materials:
        problems.append(Problem("materials-missing", "the provenance names nothing that it was built from"))
    for material in materials:
        name, uri = str(material.get("name") or material["uri"]), str(material["uri"])
        if not any((material.get("digest") or {}).values()):
            problems.append(Problem("material-without-digest", f"{name} went in, and its digest is not known"))
        base = uri.removeprefix("docker-image://")
        if policy.bases and base != uri and not any(fnmatch.fnmatchcase(base, each) for each in policy.bases):
            problems.append(
                Problem("base-not-allowed", f"it was built from {base}, which `verify.bases` does not allow")
            )
    return problems


def _sboms(image: Evidence, statements: Iterable[Statement], complaints: list[Problem]) -> list[Problem]:
    """Of each kind that is attached there is a signed statement with the same content; one kind is there at least."""
    signed = {s["predicateType"]: s.get("predicate") for s in statements}
    kinds = [kind for kind, predicate in attach.SBOM_TYPES.items() if predicate in signed]
    if not kinds:
        return [_missing(image, "sbom", complaints)]
    problems = []
    for kind in kinds:
        if kind not in image.documents:
            problems.append(
                Problem("sbom-not-attached", f"{_name(image)}: no {kind} is attached, though one is signed")
            )
        if any(_json(data) != signed[attach.SBOM_TYPES[kind]] for data in image.documents.get(kind, ())):
            problems.append(Problem("sbom-swapped", f"{_name(image)}: the {kind} is not the one that is signed"))
    stray = [kind for kind in image.documents if kind not in kinds]
    return problems + [Problem("sbom-unsigned", f"{_name(image)}: nobody has signed its {kind}") for kind in stray]


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
