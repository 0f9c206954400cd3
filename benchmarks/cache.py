"""What a store's results cost on their way through a folder: 100 layers, 5,000 files, 100 MB; and the floor, tar and gzip."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from pathlib import Path

from engines import row

from sealane_engine.graph.keys import make_key
from sealane_engine.graph.results import save_tree
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH
from sealane_engine.transfer.export import export
from sealane_engine.transfer.restore import restore

LAYERS, FILES, SIZE = 100, 50, 20_000
LIMIT = 1 << 30


def fill(store: Store) -> None:
    """Text like a program's: it shrinks to about a third."""
    source = random.Random(1)  # noqa: S311  the same each time
    words = [f"{source.getrandbits(32):x} " for _ in range(10_000)]
    for layer in range(LAYERS):
        with store.edit(SCRATCH) as edit:
            for file in range(FILES):
                text = "".join(source.choices(words, k=SIZE // 9))
                edit.write(f"/d{layer}/f{file}", text.encode())
        save_tree(store, make_key("edit", {"layer": layer}), edit.tree)


def timed(name: str, work: object) -> None:
    started = time.perf_counter()
    assert callable(work)
    work()
    row(name, time.perf_counter() - started)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sealane-cache-", dir="/var/tmp") as scratch:
        home, folder = Path(scratch, "home"), Path(scratch, "cache")
        with Store.open(home, ROOT_RANGE) as store:
            fill(store)
            timed("results exported, 100 MB", lambda: export(store, folder, LIMIT))
            timed("the same, nothing changed", lambda: export(store, folder, LIMIT))
        with Store.open(Path(scratch, "other"), ROOT_RANGE) as store:
            timed("results imported, 100 MB", lambda: restore(store, folder))
        tar = ["tar", "-C", str(home / "l"), "-I", "gzip -1", "-cf", f"{scratch}/floor.tgz", "."]
        timed("tar and gzip of 100 MB", lambda: subprocess.run(tar, check=True))


if __name__ == "__main__":
    main()
