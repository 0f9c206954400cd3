"""What one store exported, an engine on another finds: as different as two machines can be, the ids of steps too."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio
import dagger
import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange
from sealane_engine.store.store import Store
from sealane_engine.transfer.export import export
from sealane_engine.transfer.restore import restore

from .conftest import ENGINE, session
from .test_reproducible import OTHER_IDS, other_home

__all__ = ["other_home"]

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(600)]

BASE = "debian:bookworm-slim"
LIMIT = 80_000_000
IDS = IdRange(0x7100_0000)  # those of OTHER_IDS

# Each run of it gives another number; it leaves what is hard to carry.
SCRIPT = """
mkdir -p /made/private && cat /proc/sys/kernel/random/uuid | tee /made/number
ln -s number /made/link && ln /made/number /made/hard && mkfifo /made/fifo
chown 12:34 /made/private && chmod 2750 /made/private && touch -d @86400 /made/private
rm /etc/motd && rm -r /etc/skel && mkdir /etc/skel && touch /etc/skel/new
cp /bin/cat /made/suid && chmod 4755 /made/suid
"""
LOOK = """
cd /made && stat -c '%n %A %u:%g %h %Y %F' private link hard fifo suid && ls -A /etc/skel && test ! -e /etc/motd
"""


@dataclass(frozen=True)
class Told:
    """What a pipeline answered: the number of its step, what was left behind, the digest of its image, another number."""

    number: str
    left: str
    image: str
    mounted: str


def pipeline(folder: Path, text: str) -> Told:
    """Run it over a source folder with this text in it."""

    async def work() -> Told:
        async with dagger.Connection() as dag:
            source = dag.host().directory(str(folder))
            ran = dag.container().from_(BASE).with_exec(["sh", "-ec", SCRIPT])
            copied = ran.with_directory("/src", source).with_new_file("/config", "x")
            counted = copied.with_mounted_directory("/work", source).with_workdir("/work")
            counted = counted.with_exec(["sh", "-ec", "cat text; cat /proc/sys/kernel/random/uuid | tee out"])
            return Told(
                await ran.stdout(),
                await ran.with_exec(["sh", "-ec", LOOK]).stdout(),
                await copied.as_tarball().digest(),
                await counted.stdout() + await counted.directory("/work").file("out").contents(),
            )

    folder.mkdir(exist_ok=True)
    (folder / "text").write_text(text)
    return anyio.run(work)


@pytest.fixture
def under(monkeypatch: pytest.MonkeyPatch):
    """Run a pipeline on a store."""

    def run(home: Path, folder: Path, text: str, program: tuple[str, ...] = ENGINE) -> Told:
        with session(home, dict(os.environ), program=program) as found:
            for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
                monkeypatch.setenv(name, found[name])
            return pipeline(folder, text)

    return run


def kinds(store: Store) -> Counter[str]:
    return Counter(each.kind for each in store.results())


def test_what_ran_on_one_machine_is_not_run_again_on_another(
    shared_home: Path, other_home: Path, tmp_path: Path, under
):
    cold = under(shared_home, tmp_path / "source", "one")
    with Store.open(shared_home, ROOT_RANGE) as store:
        done = export(store, tmp_path / "cache", LIMIT)
    assert done.bytes <= LIMIT
    with Store.open(other_home, IDS) as store:
        restore(store, tmp_path / "cache")
        before = kinds(store)
    program = (sys.executable, "-c", OTHER_IDS)
    restored = under(other_home, tmp_path / "copy", "one", program)
    assert restored == cold
    assert "drwxr-s---" in cold.left
    assert "12:34" in cold.left
    with Store.open(other_home, IDS) as store:
        after = kinds(store)
    ran = ("step", "catalog-image", "catalog-base", "image-layer")
    assert [after[kind] for kind in ran] == [before[kind] for kind in ran]

    changed = under(other_home, tmp_path / "copy", "two", program)
    assert changed.number == cold.number
    assert changed.image != cold.image
    assert changed.mounted.startswith("two")
    assert changed.mounted.splitlines()[-1] != cold.mounted.splitlines()[-1]
    with Store.open(other_home, IDS) as store:
        assert kinds(store)["step"] == after["step"] + 1
