"""What an export's index says: layers, blobs and results, each checked before anything of it is used.

A result names layers, and a layer's name is a path in the store: one of another shape, or of a layer that the result
doesn't list, would lead out of it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from sealane_engine.graph.keys import digest_of
from sealane_engine.images.config import check_config
from sealane_engine.oci.blobs import OWN
from sealane_engine.store.store import Result

FORMAT = 1
_LAYER = re.compile(r"[a-z2-7]{10}")
_HEX = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WEEK = 7 * 24 * 3600.0

KINDS: Mapping[str, float] = {
    "tree": float("inf"),
    "step": float("inf"),
    "image-layer": float("inf"),
    "layer-blob": float("inf"),
    # built here from the distribution's packages of that day: a cache that lives on may not keep old ones for ever
    "catalog-image": _WEEK,
    "catalog-base": _WEEK,
}
"""The kinds of results that travel, and for how many seconds after they were made.

The others are this machine's (`scan`, `trust`), made again in no time (`copy`, `flat`), answers of a moment or of one
client (`image`, `http`, `function`).
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """A layer's file: the sha256 and size in bytes of the file, and the digest of the tar stream that is in it."""

    file: str
    size: int
    diff_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A result that travels, with the JSON that its key is the digest of."""

    result: Result
    inputs: Any


@dataclass(frozen=True, slots=True)
class Contents:
    """What an index names: layers by their name in the store, blobs with their size in bytes, results."""

    layers: Mapping[str, Packed]
    blobs: Mapping[str, int]
    results: tuple[Kept, ...]

    def to_json(self) -> bytes:
        """Canonical: the same contents give the same bytes."""
        results = [
            {
                "key": each.result.key,
                "kind": each.result.kind,
                "value": each.result.value,
                "layers": each.result.layers,
                "blobs": each.result.blobs,
                "created": each.result.created,
                "inputs": each.inputs,
            }
            for each in sorted(self.results, key=lambda each: each.result.key)
        ]
        layers = {name: asdict(packed) for name, packed in self.layers.items()}
        whole = {"format": FORMAT, "layers": layers, "blobs": dict(self.blobs), "results": results}
        return json.dumps(whole, sort_keys=True, indent=0).encode()

    @classmethod
    def from_json(cls, whole: Mapping[str, Any]) -> Self:
        """From what `to_json` gave. Raises ValueError, KeyError, TypeError, OverflowError or ImageError for anything else."""
        layers = {_named(_LAYER, name): _packed(each) for name, each in whole["layers"].items()}
        blobs = {_named(_DIGEST, digest): _count(size) for digest, size in whole["blobs"].items()}
        results = tuple(_kept(each, layers, blobs) for each in whole["results"])
        return cls(layers, blobs, results)


def own_blob(layer: str) -> str:
    """The key of the blob that a layer came from."""
    return f"layer-blob:{OWN}:{layer}"


def _packed(each: Mapping[str, Any]) -> Packed:
    return Packed(_named(_HEX, each["file"]), _count(each["size"]), _named(_DIGEST, each["diff_id"]))


def _kept(each: Mapping[str, Any], layers: Mapping[str, Any], blobs: Mapping[str, Any]) -> Kept:
    key, kind, value = _text(each["key"]), each["kind"], each["value"]
    result = Result(key, kind, value, tuple(each["layers"]), tuple(each["blobs"]), float(each["created"]), 0.0)
    if not layers.keys() >= set(result.layers) or not blobs.keys() >= set(result.blobs):
        raise ValueError(f"{key} needs what is not there")
    _CHECKS[kind](result, each["inputs"])
    return Kept(result, each["inputs"])


def _tree(result: Result, inputs: Any) -> None:
    _expect(isinstance(inputs, dict) and result.key == digest_of(inputs), result)
    _stack(result.value["layers"], result)


def _step(result: Result, inputs: Any) -> None:
    _expect(isinstance(inputs, dict) and result.key == digest_of(inputs), result)
    value = result.value
    _expect(type(value["exit_code"]) is int, result)
    for name in ("stdout", "stderr", "combined"):
        saved = value[name]
        if "blob" in saved:
            _expect(saved["blob"] in result.blobs, result)
        else:
            base64.b64decode(_text(saved["base64"]), validate=True)
    _stack(value["root"], result)
    for index, layers in value["mounts"].items():
        _count(int(index))
        _stack(layers, result)


def _image_layer(result: Result, _: Any) -> None:
    kind, _, chain = result.key.partition(":")
    _expect(kind == "image-layer" and _DIGEST.fullmatch(chain) is not None, result)
    _expect(result.value["layer"] == "" or result.value["layer"] in result.layers, result)


def _layer_blob(result: Result, _: Any) -> None:
    _expect([result.key] == [own_blob(layer) for layer in result.layers], result)
    _expect(result.value["digest"] in result.blobs, result)
    _named(_DIGEST, result.value["diff_id"])
    _text(result.value["mediaType"])
    _count(result.value["size"])
    _count(result.value["newest"])


def _catalog_image(result: Result, _: Any) -> None:
    value = result.value
    _expect(result.key.startswith("catalog-image:"), result)
    check_config(value["config"], result.key)
    _named(_DIGEST, value["digest"])
    _expect([_named(_DIGEST, each) for each in value["diff_ids"]] != [], result)
    _expect(len(value["diff_ids"]) == len(result.layers), result)


def _catalog_base(result: Result, _: Any) -> None:
    _expect(result.key.startswith("catalog-base:") and len(result.layers) == 1, result)
    source = result.value["source"]
    _count(result.value["epoch"])
    _named(_DIGEST, source["digest"])
    _text(source["mediaType"])
    _count(source["size"])


_CHECKS = {
    "tree": _tree,
    "step": _step,
    "image-layer": _image_layer,
    "layer-blob": _layer_blob,
    "catalog-image": _catalog_image,
    "catalog-base": _catalog_base,
}


def _stack(names: Any, result: Result) -> None:
    """A tree's layers: each one of the result's, or a directory in it."""
    _expect(isinstance(names, list), result)
    for name in names:
        layer, _, below = _text(name).partition("/")
        _expect(layer in result.layers and "\0" not in below, result)
        _expect(not below or all(part not in ("", ".", "..") for part in below.split("/")), result)


def _expect(holds: bool, result: Result) -> None:
    if not holds:
        raise ValueError(f"{result.kind} {result.key}")


def _named(pattern: re.Pattern[str], value: Any) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"{value!r} is no name")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no size")
    return value
