"""What 10,000 files of the client's machine cost through the unmodified client: one changed, all exported."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import anyio
import dagger
from dagger import dag
from engines import engine, measure, stamp

COUNT = 10_000


def fill(folder: Path) -> None:
    for number in range(COUNT):
        path = folder / f"d{number // 100}" / f"f{number % 100}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d\n" % number * 50)


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sealane-files-", dir="/var/tmp") as scratch:
        source, out = Path(scratch, "source"), Path(scratch, "out")
        fill(source)
        for _ in range(2):  # files younger than the clock's grain are read again once
            await in_session(lambda: host(source).id())
        await in_session(lambda: changed(source), "host directory of 10,000 files, one changed")
        await in_session(lambda: exported(source, out), "export of 10,000 files")


async def in_session(work, name: str = "") -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """In a session of its own each time: within one, a directory is read once."""
    for _ in range(3 if name else 1):
        with engine() as running:
            os.environ.update(running.environ)
            async with dagger.connection():
                await dag.container().id()
                await (measure(name, work, 1) if name else work())


def host(source: Path) -> dagger.Directory:
    return dag.directory().with_directory("/src", dag.host().directory(str(source)))


async def changed(source: Path) -> None:
    (source / "d7" / "f7").write_text(stamp())
    await host(source).sync()


async def exported(source: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    await host(source).export(str(out))


if __name__ == "__main__":
    anyio.run(main)
