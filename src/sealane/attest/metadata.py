"""What an image is called and what it says of itself: tags, labels and build arguments, from where its source is from.

Tags are those of docker/metadata-action for the guide's four rules: the branch, the pull request, the branch with the
commit's first seven digits, and `latest` on the default branch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealane.attest import registry
from sealane.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane.config.image import PublishConfig
    from sealane.vendors.model import Context

_OCI = "org.opencontainers.image"
_NOT_IN_TAGS = re.compile(r"[^a-zA-Z0-9._-]+")
_MAX_TAG = 128
_SHA = 7
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """Where an image goes: repository, and tags in the order they are moved, so that `latest` comes last."""

    repository: str
    tags: tuple[str, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(f"{self.repository}:{tag}" for tag in self.tags)


def tags(context: Context) -> tuple[str, ...]:
    """The most particular first. Empty when nothing is known of the source."""
    if context.pull_request:
        return (f"pr-{context.pull_request}",)
    branch = _tag(context.branch)
    found = [_tag(f"{branch[: _MAX_TAG - _SHA - 1]}-{context.commit[:_SHA]}")] if branch and context.commit else []
    found += [branch, _tag(context.tag)]
    found += ["latest"] if context.on_default_branch else []
    return tuple(dict.fromkeys(filter(None, found)))


def _tag(name: str) -> str:
    """A branch's or tag's name as an image's tag: `feature/x` → `feature-x`."""
    return _NOT_IN_TAGS.sub("-", name).lstrip("-.")[:_MAX_TAG]


def target(config: PublishConfig, context: Context, address: str = "") -> Target:
    """Where `publish` goes: to `address` when it has a tag; else to the tags of the context, in the repository of
    `address`, of the configuration, or of REGISTRY and IMAGE_NAME.

    Raises ConfigError (`no-repository`, `no-tags`, `bad-reference`).
    """
    host = config.registry or context.registry
    name = config.name or context.image_name or context.repository
    if not address and not (host and name):
        missing = "no registry" if not host else "no name"
        raise ConfigError(
            f"where shall the image go? There is {missing}",
            reason="no-repository",
            hint="Give --address, or set `publish.registry` and `publish.name`, or REGISTRY and IMAGE_NAME.",
        )
    where = registry.address(address or f"{host}/{name}".lower())
    if where.digest:
        raise ConfigError(f"{address} names a digest", reason="bad-reference", hint="Publish to a repository or a tag.")
    found = (where.tag,) if where.tag else tags(context)
    if not found:
        raise ConfigError(
            "there is no tag to publish to: neither branch nor pull request is known",
            reason="no-tags",
            hint="Give the address with a tag (registry/repository:tag), or call from a git repository.",
        )
    return Target(where.repository, found)


def labels(config: PublishConfig, pyproject: Mapping[str, Any], context: Context) -> dict[str, str]:
    """OCI's own keys, as far as something is known for them."""
    package = pyproject.get("project", {})
    licence = package.get("license", "")
    name = config.name or context.image_name or context.repository or str(package.get("name", ""))
    found = {
        "title": name.rpartition("/")[2],
        "description": str(package.get("description", "")),
        "version": next(iter(tags(context)[1:]), "") or next(iter(tags(context)), ""),
        "revision": context.commit,
        "created": _when(context),
        "licenses": licence if isinstance(licence, str) else "",
    }
    return {f"{_OCI}.{key}": value for key, value in found.items() if value}


def arguments(context: Context, declared: frozenset[str], given: Mapping[str, str]) -> dict[str, str]:
    """BUILD_ID, BUILD_DATE and VCS_REF, as far as the Dockerfile declares them. `given` wins."""
    when = datetime.fromtimestamp(context.committed, UTC) if context.committed else None
    found = {
        "BUILD_ID": when.strftime("%Y%m%d-%H%M%S") if when else _UNKNOWN,
        "BUILD_DATE": _when(context) or _UNKNOWN,
        "VCS_REF": context.commit or _UNKNOWN,
    }
    return {name: value for name, value in found.items() if name in declared} | dict(given)


def _when(context: Context) -> str:
    if not context.committed:
        return ""
    return datetime.fromtimestamp(context.committed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
