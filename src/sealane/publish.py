"""Publishes an image: only what passed every gate, with what is said of it first, and its tags last.

Who pulls a tag meanwhile gets the old image, or the new one with its SBOMs, provenance and signatures.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagger import dag

from sealane.attest import attach, envelope, packed, provenance, sign
from sealane.attest.registry import Login, Repository, address, fallback_tag
from sealane.errors import RegistryFailed
from sealane.stages import build, sbom, steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import dagger

    from sealane.attest.metadata import Target
    from sealane.attest.packed import Packed
    from sealane.attest.registry import Descriptor
    from sealane.stages.project import Project


_REGISTRY = "registry"
_STAGED = "img"


@dataclass(frozen=True, slots=True)
class Access:
    """How a registry is reached: user name and password or token, and the service it is when only we can reach it."""

    username: str = ""
    secret: dagger.Secret | None = None
    service: dagger.Service | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that is attached to an image; `subject` is where it hangs."""

    subject: Descriptor
    predicate_type: str
    text: bytes


async def publish_image(project: Project, to: Target, access: Access, key: sign.Key) -> str:
    """Push the project's image to the tags of `to`; its digest. Whether it may be published was decided before (see `pipeline`).

    Raises RegistryFailed, SealaneError (`cannot-sign`, `no-digest`), dagger.QueryError.
    """
    images = [_with_login(image, to, access) for image in await build.images(project)]
    found = await packed.read(images)
    documents = await _documents(project, images, found)
    statements = await _statements(project, to, found, documents)
    # Under a tag that nobody pulls: an image that may not be published (on a catalog's base) is not signed either.
    await _push(images, f"{to.repository}:{fallback_tag(found.top.digest)}.{_STAGED}", found)
    signatures = await _signatures(project, to, found, statements, key)
    login = Login(access.username, await access.secret.plaintext()) if access.secret else None
    endpoint = await _endpoint(access.service) if access.service else ""
    async with Repository(address(to.addresses[0]), login, endpoint=endpoint) as repository:
        await _attach(repository, found, documents, statements, signatures)
    for each in to.addresses:
        await _push(images, each, found)
    return found.top.digest


async def _endpoint(service: dagger.Service) -> str:
    """Where a service is, for this process: an engine tells the names of services to steps alone."""
    started = await service.start()
    _, _, port = (await started.endpoint()).rpartition(":")
    asking = steps.python().with_service_binding(_REGISTRY, started)
    asking = asking.with_env_variable("ASKED_AT", str(time.time_ns()))  # an address of an earlier run is none
    command = ["python", "-c", f"import socket; print(socket.gethostbyname({_REGISTRY!r}))"]
    return f"http://{(await asking.with_exec(command).stdout()).strip()}:{port}"


async def _documents(
    project: Project, images: Sequence[dagger.Container], found: Packed
) -> dict[str, dict[str, bytes]]:
    """Each image's SBOMs by media type, by the image's digest."""
    listed = await steps.concurrently(
        *(
            (lambda image=image, described=described: sbom.documents(project, image, described.digest))
            for image, described in zip(images, found.images, strict=True)
        )
    )
    return {described.digest: documents for described, documents in zip(found.images, listed, strict=True)}


async def _statements(
    project: Project, to: Target, found: Packed, documents: Mapping[str, Mapping[str, bytes]]
) -> list[Statement]:
    platforms = [each.platform for each in found.images if each.platform]
    built = await provenance.of(project, platforms)
    predicate = provenance.predicate(built, project, platforms)
    made = envelope.statement(to.repository, found.digests, envelope.PROVENANCE, predicate)
    statements = [Statement(found.top, envelope.PROVENANCE, made)]
    for image in found.images:
        for media_type, data in documents[image.digest].items():
            kind = attach.SBOM_TYPES[media_type]
            made = envelope.statement(to.repository, [image.digest], kind, json.loads(data))
            statements.append(Statement(image, kind, made))
    return statements


async def _signatures(
    project: Project, to: Target, found: Packed, statements: Sequence[Statement], key: sign.Key
) -> dict[str, envelope.Signature]:
    """Over each image (by its digest) and each statement (by its place). Empty without a key."""
    if not key:
        return {}
    contents = {digest: envelope.payload(to.repository, digest) for digest in found.digests}
    for place, statement in enumerate(statements):
        contents[str(place)] = envelope.pre_authentication(envelope.IN_TOTO, statement.text)
    return await sign.sign(key, project.config.publish, contents)


async def _attach(
    repository: Repository,
    found: Packed,
    documents: Mapping[str, Mapping[str, bytes]],
    statements: Sequence[Statement],
    signatures: Mapping[str, envelope.Signature],
) -> None:
    for subject in dict.fromkeys((found.top, *found.images)):
        for media_type, data in documents.get(subject.digest, {}).items():
            await attach.document(repository, subject, media_type, data)
        said = [(n, each) for n, each in enumerate(statements) if each.subject == subject]
        if not signatures:
            for _, each in said:
                if each.predicate_type == envelope.PROVENANCE:
                    await attach.document(repository, subject, attach.UNSIGNED, each.text)
            continue
        layers = [attach.attestation(e.text, e.predicate_type, signatures[str(n)]) for n, e in said]
        if layers:
            await attach.attestations(repository, subject, layers)
        payload = envelope.payload(repository.where.repository, subject.digest)
        await attach.signatures(repository, subject, [attach.signature(payload, signatures[subject.digest])])


def _with_login(image: dagger.Container, to: Target, access: Access) -> dagger.Container:
    if access.secret is None:
        return image
    return image.with_registry_auth(address(to.addresses[0]).host, access.username, access.secret)


async def _push(images: Sequence[dagger.Container], where: str, found: Packed) -> None:
    """The image itself, and the tag that names it."""
    if len(images) == 1:
        pushed = await images[0].publish(where)
    else:
        pushed = await dag.container().publish(where, platform_variants=list(images))
    if not pushed.endswith(f"@{found.top.digest}"):
        raise RegistryFailed(
            f"{where}: {pushed} was pushed, but {found.top.digest} is what was signed",
            reason="other-digest",
            hint="The tag names an image that nothing vouches for: publish again, or delete it.",
        )
