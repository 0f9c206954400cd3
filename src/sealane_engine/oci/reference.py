"""Image references: parse what a user writes, print the canonical form (`docker.io/library/debian:bookworm-slim`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sealane_engine.errors import InvalidInput

HTTPS = 443
DEFAULT_HOST = "docker.io"
MAX_NAME = 255

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:]+\]"  # an IPv6 address
    r"|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)"
    r"(?::[0-9]{1,5})?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an image is: registry host, repository, and a tag, a digest or both (the digest wins)."""

    host: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def name(self) -> str:
        """Repository and tag: what identifies the image in the catalog and in messages."""
        return f"{self.repository}:{self.tag}" if self.tag else self.repository

    @property
    def familiar(self) -> str:
        """As a user writes it: `debian:bookworm-slim`."""
        path = self.path.removeprefix("library/") if self.host == DEFAULT_HOST else self.repository
        return f"{path}:{self.tag}" if self.tag else path

    @property
    def identifier(self) -> str:
        """What a registry is asked for."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: str) -> Reference:
        return replace(self, digest=digest)

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else self.name


def parse(text: str) -> Reference:
    """Parse a reference; no host means Docker Hub, no tag and no digest means `latest`.

    Raises InvalidInput (`bad-reference`).
    """
    rest = text.removeprefix("docker://")
    rest, at, digest = rest.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _bad(text)
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        host, path = head, tail
    else:
        host, path = DEFAULT_HOST, rest
    path, colon, tag = path.partition(":")
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    if not (_HOST.fullmatch(host) and _PATH.fullmatch(path) and len(path) <= MAX_NAME):
        raise _bad(text)
    if colon and not _TAG.fullmatch(tag):
        raise _bad(text)
    if not colon and not at:
        tag = "latest"
    return Reference(host, path, tag or None, digest or None)


def port(host: str) -> int:
    """The port that a registry's host names, or that of HTTPS."""
    _, _, digits = host.rpartition(":")
    return int(digits) if ":" in host else HTTPS


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _bad(text: str) -> InvalidInput:
    return InvalidInput(f"failed to parse image address {text}: invalid reference format", reason="bad-reference")
