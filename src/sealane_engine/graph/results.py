"""Results in the store: trees and steps by key, with the JSON that the key is the digest of."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from sealane_engine.graph.step import StepResult
from sealane_engine.store.tree import Tree

if TYPE_CHECKING:
    from sealane_engine.graph.keys import Key
    from sealane_engine.store.store import Store

INLINE = 16_384


def load_tree(store: Store, key: str) -> Tree | None:
    result = store.result(key)
    return Tree(tuple(result.value["layers"])) if result and "layers" in result.value else None


def save_tree(store: Store, key: Key, tree: Tree) -> None:
    value = {"layers": list(tree.layers)}
    store.put_result(key.digest, "tree", value, layers=_names(tree), inputs=key.inputs)


def _names(*trees: Tree) -> tuple[str, ...]:
    """The layers that trees need; a tree may use a directory of a layer (`12/src`)."""
    return tuple(dict.fromkeys(layer.partition("/")[0] for tree in trees for layer in tree.layers))


def load_step(store: Store, key: str) -> StepResult | None:
    result = store.result(key)
    if result is None or result.kind != "step":
        return None
    value = result.value
    return StepResult(
        key=key,
        exit_code=value["exit_code"],
        stdout=_load(store, value["stdout"]),
        stderr=_load(store, value["stderr"]),
        combined=_load(store, value["combined"]),
        root=Tree(tuple(value["root"])),
        mounts={int(index): Tree(tuple(layers)) for index, layers in value["mounts"].items()},
    )


def save_step(store: Store, key: Key, result: StepResult) -> None:
    blobs: list[str] = []
    value: dict[str, Any] = {
        "exit_code": result.exit_code,
        "stdout": _save(store, result.stdout, blobs),
        "stderr": _save(store, result.stderr, blobs),
        "combined": _save(store, result.combined, blobs),
        "root": list(result.root.layers),
        "mounts": {str(index): list(tree.layers) for index, tree in result.mounts.items()},
    }
    store.put_result(
        key.digest,
        "step",
        value,
        layers=_names(result.root, *result.mounts.values()),
        blobs=tuple(blobs),
        inputs=key.inputs,
    )


def _save(store: Store, data: bytes, blobs: list[str]) -> dict[str, str]:
    if len(data) <= INLINE:
        return {"base64": base64.b64encode(data).decode()}
    digest = store.put_blob(data)
    blobs.append(digest)
    return {"blob": digest}


def _load(store: Store, saved: dict[str, str]) -> bytes:
    return store.read_blob(saved["blob"]) if "blob" in saved else base64.b64decode(saved["base64"])
