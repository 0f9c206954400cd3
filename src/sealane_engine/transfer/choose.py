"""Which results of a store travel, and in which order: what ran or was fetched (steps, base images) before what was only
put together from it, in each of them what was used last first.

Left out: kinds that mean nothing elsewhere (`contents.KINDS`), what has expired, and what hangs on a secret. A secret
counts in a key by an HMAC that no other store computes, so such a result would never be found; and what a step writes
with a secret is nobody else's. That goes for all that is built on it. What a later step copies out of it counts by its
content, and can't be told from any other file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sealane_engine.transfer.contents import KINDS, Kept, own_blob

_SECRET = ("hmac:", "cache-key:")
_MADE_AGAIN = ("edit", "difference", "tarball")
_DIGEST_CHARS = len("sha256:") + 64
_PUBLIC = frozenset({"scan", "image-layer", "catalog-image", "catalog-base"})


def choose(kept: Sequence[Kept], now: float) -> list[list[Kept]]:
    """Groups that go whole or not at all, best first: a result, and the blobs that its layers came from (an image that
    is built on them names those). `now` is in seconds since the epoch.
    """
    secret = private(kept)
    by_key = {each.result.key: each for each in kept}
    chosen = []
    for each in kept:
        result = each.result
        age, expires = KINDS.get(result.kind), result.expires
        if age is None or result.kind == "layer-blob" or result.key in secret:
            continue
        if now - result.created < age and (expires is None or now < expires):
            own = (by_key.get(own_blob(layer)) for layer in result.layers)
            chosen.append([each, *(blob for blob in own if blob is not None)])
    return sorted(chosen, key=_rank)


def made_again(kept: Kept) -> bool:
    """Whether a result was put together from others, with nothing run and nothing fetched."""
    return kept.result.kind == "tree" and kept.inputs.get("kind") in _MADE_AGAIN


def _rank(group: list[Kept]) -> tuple[bool, float, str]:
    result = group[0].result
    return made_again(group[0]), -result.used, result.key


def private(kept: Iterable[Kept]) -> set[str]:
    """The keys of results that hang on a secret: by their own inputs, by a result's before them, or by a layer that
    one of those made.
    """
    ordered = sorted(kept, key=lambda each: (each.result.kind not in _PUBLIC, each.result.created))
    told = {each.result.key: set(texts(each.inputs)) for each in ordered}
    found = {key for key, said in told.items() if any(text.startswith(_SECRET) for text in said)}
    before = {key: {text[:_DIGEST_CHARS] for text in said} & told.keys() for key, said in told.items()}
    size = -1
    while size != len(found):  # one that was made again is younger than what was built on it
        size = len(found)
        layers: set[str] = set()
        made: set[str] = set()
        for each in ordered:
            result = each.result
            if result.key in found or not found.isdisjoint(before[result.key]) or not layers.isdisjoint(result.layers):
                found.add(result.key)
                layers.update(set(result.layers) - made)
            made.update(result.layers)
    return found


def texts(value: Any) -> Iterator[str]:
    """All strings of a JSON value, names of fields left out."""
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, list | tuple):
            todo.extend(here)
        elif isinstance(here, dict):
            todo.extend(here.values())
