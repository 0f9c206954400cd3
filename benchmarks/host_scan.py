"""How long a host directory of 10,000 files takes: first scan, unchanged, one changed, copied into a tree, exported.

python benchmarks/host_scan.py [FILES]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sealane_engine.host.export import export_directory
from sealane_engine.host.scan import scan_now
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH, Tree

Answer = TypeVar("Answer")


def timed(name: str, work: Callable[[], Answer]) -> Answer:
    start = time.perf_counter()
    answer = work()
    print(f"{name:40} {(time.perf_counter() - start) * 1000:8.1f} ms")
    return answer


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="host-scan-", dir="/var/tmp") as scratch:
        source = Path(scratch, "source")
        for number in range(count):
            path = source / f"d{number // 100}" / f"f{number % 100}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"%d\n" % number * 50)
        with Store.open(Path(scratch, "home"), ROOT_RANGE) as store:
            run(store, source, Path(scratch, "out"))


def run(store: Store, source: Path, out: Path) -> None:
    def copied(tree: Tree) -> Tree:
        with store.edit(SCRATCH) as edit:
            edit.copy(store.view(tree), "/", "/src")
        return edit.tree

    timed("scan, first", lambda: scan_now(store, source))
    tree, _ = timed("scan, all read again (just written)", lambda: scan_now(store, source))
    timed("scan, unchanged", lambda: scan_now(store, source))
    timed("copy to /src, first", lambda: copied(tree))
    timed("copy to /src, again", lambda: copied(tree))
    (source / "d7" / "f7").write_text("changed")
    tree, _ = timed("scan, one changed", lambda: scan_now(store, source))
    timed("copy to /src, one changed", lambda: copied(tree))
    timed("content key", lambda: store.view(tree).digest())
    timed("export, first", lambda: export_directory(store.view(tree), "/", out, wipe=False))
    timed("export, again", lambda: export_directory(store.view(tree), "/", out, wipe=False))


if __name__ == "__main__":
    main()
