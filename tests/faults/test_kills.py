"""A kill at any instant of a small pipeline: the next engine is there at once, and its answers are right."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from .conftest import IMAGE, Engine, engine, step

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(300)]

KILLS = 12
SECONDS = 1.2


def pipeline(running: Engine, host: Path, mark: int, number: int) -> list[str]:
    """A directory of the host, a service, two steps in a row and one with a volume; what the last ones print."""
    directory = running.data(f'{{host{{directory(path:"{host}"){{id}}}}}}')
    service = running.data(
        f'{{container{{from(address:"{IMAGE}"){{asService(args:["sleep","{1000 + number}"]){{id}}}}}}}}'
    )
    volume = running.data(f'{{cacheVolume(key:"kills-{mark}"){{id}}}}')
    before = (
        f'withServiceBinding(alias:"one",service:"{service}"){{withMountedDirectory(path:"/in",source:"{directory}"){{'
        f'withMountedCache(path:"/cache",cache:"{volume}"){{withExec(args:["sh","-c","cp -r /in /out; echo {number} > /n"]){{'
    )
    script = "cat /out/d/file /n; ls /out/d | wc -l; echo >> /cache/lines"
    return [str(running.data(step(script, before=before))), str(running.data(step(f"echo two {mark} {number}")))]


def below(pid: int) -> set[str]:
    """The namespaces of a process's descendants that aren't ours."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found, todo = set(), [pid]
    while todo:
        parent = todo.pop()
        for child in [child for child, its in parents.items() if its == parent]:
            todo.append(child)
            for name in ("net", "user", "mnt", "pid"):
                with suppress(OSError):
                    found.add(str(Path(f"/proc/{child}/ns/{name}").readlink()))
    return found - {str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("net", "user", "mnt", "pid")}


def living() -> set[str]:
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/*"):
        with suppress(OSError):
            found.add(str(link.readlink()))
    return found


def test_kills_at_any_instant(shared_home: Path, tmp_path: Path):
    mark = time.time_ns()
    chance = random.Random(mark)
    host = tmp_path / "host"
    (host / "d").mkdir(parents=True)
    mounts = Path("/proc/self/mountinfo").read_text()
    for number in range(KILLS):
        (host / "d" / "file").write_text(f"{number} of {mark}\n")
        (host / "d" / f"more-{number}").touch()
        began = time.monotonic()
        with engine(shared_home, tmp_path) as running:
            assert time.monotonic() - began < 4
            working = threading.Thread(target=attempt, args=(running, host, mark, number))
            working.start()
            time.sleep(chance.uniform(0, SECONDS))  # the instant is what is tested
            mine = below(running.process.pid)
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait()
            working.join()
        deadline = time.monotonic() + 10
        while (left := mine & living()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not left
        assert Path("/proc/self/mountinfo").read_text() == mounts
        if number % 3 == 2:
            with engine(shared_home, tmp_path) as running:
                files = number + 2
                wanted = f"{number} of {mark}\n{number}\n{files}\n"
                assert pipeline(running, host, mark, number) == [wanted, f"two {mark} {number}\n"]


def attempt(running: Engine, host: Path, mark: int, number: int) -> None:
    with suppress(Exception):
        pipeline(running, host, mark, number)
