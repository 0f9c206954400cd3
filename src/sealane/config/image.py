"""The keys of an image: how it is built, published and verified."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sealane.config.model import Inside, Model, Platform, Port


class BuildConfig(Model):
    """How the image is built and tried. `health` is the path that must answer 200; `port` where it listens.

    `start` says whether the image is started at all; left out, it is when the Dockerfile has a HEALTHCHECK or an
    EXPOSE, or when `health` is given. `timeout` (seconds) bounds the wait for health. `platforms` are what it is built
    for, all in one call and all tried; left out, it is the engine's own. Later stages look at the first one's.
    `reproducible = false` leaves the dates of files in its layers as they are.
    """

    dockerfile: Inside = "Dockerfile"
    platforms: tuple[Platform, ...] = ()
    reproducible: bool = True
    target: str = ""
    args: dict[str, str] = {}
    start: bool | None = None
    health: str | None = None
    port: Port | None = None
    env: dict[str, str] = {}
    timeout: int = Field(default=120, ge=5, le=900)
    tarball: bool = True


class PublishConfig(Model):
    """Where images go and who signs them. `registry` and `name` (else REGISTRY and IMAGE_NAME) make the repository.

    `builder` is the id that provenance gives the builder. `kms` names a key that a KMS keeps, as cosign does
    (`awskms://…`); `cosign` is the image whose `cosign` then signs.
    """

    registry: str = ""
    name: str = ""
    builder: str = ""
    kms: str = Field(default="", pattern=r"^$|^[a-z0-9+-]+://\S+$")
    cosign: str = ""


class VerifyConfig(Model):
    """What `sealane verify` asks of an image. `key` is the public key's file; the rest is asked for when it is set.

    `builder` is the builder's id, `source` a pattern for the repository (`owner/*`), `bases` patterns for base images.
    """

    key: Inside | None = None
    require: tuple[Literal["signature", "provenance", "sbom"], ...] = ("signature", "provenance", "sbom")
    builder: str = ""
    source: str = ""
    bases: tuple[str, ...] = ()
