"""What a base image is, as data: where it came from, its configuration, its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane_engine.oci.descriptor import Descriptor

Origin = Literal["store", "registry", "catalog"]


@dataclass(frozen=True, slots=True)
class LayerSource:
    """One layer of an image: what it unpacks to (`diff_id`) and what is needed for that.

    `blob` is what a registry serves; `layer` is the store's layer when it is there already (a catalog image's always is).
    """

    diff_id: str
    blob: Descriptor | None = None
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A resolved image.

    `ref` is canonical and pinned (`docker.io/library/debian:bookworm-slim@sha256:…`), `digest` that of its manifest,
    `config` the whole OCI image configuration (its `config` member has Env, Entrypoint, Cmd, …).
    `origin` is where it came from when it was brought here; `catalog` names the recipe it was built by, or is empty.
    """

    ref: str
    digest: str
    platform: str
    config: Mapping[str, Any]
    origin: Origin
    layers: tuple[LayerSource, ...]
    catalog: str = ""
