"""A step that takes all it can get: the engine stays up, small, and answers the next one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .conftest import Engine, step

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(300)]


def stamp() -> str:
    return f"# {time.time_ns()}"


def peak(running: Engine) -> int:
    """The most memory that the engine's process ever had, in MB."""
    text = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) // 1024


def fine(running: Engine) -> bool:
    began = time.monotonic()
    said = running.data(step(f"echo fine {stamp()}"))
    return said == "fine\n" and time.monotonic() - began < 10


def test_an_endless_line_is_cut_and_costs_little_memory(running: Engine):
    said = running.data(step(f"head -c 1000000000 /dev/zero | tr '\\0' x {stamp()}"))
    assert said.endswith("[the rest of this output was dropped]\n")
    assert len(said) < 70_000_000
    assert peak(running) < 700
    assert fine(running)


def test_what_ignores_being_asked_is_killed_with_its_step(running: Engine):
    script = f"trap '' TERM INT HUP; (trap '' TERM; exec sleep 1000) & setsid sleep 1000 & echo done {stamp()}"
    assert running.data(step(script)) == "done\n"
    assert fine(running)


def test_a_full_device_is_the_steps_own_error(running: Engine):
    answer = running.query(step(f"LC_ALL=C cp /etc/passwd /dev/full {stamp()}"))
    error = answer["errors"][0]["extensions"]
    assert error["exitCode"] != 0
    assert "No space left on device" in error["stderr"]


def test_a_path_longer_than_the_system_takes_is_told_as_such(running: Engine):
    name = "d" * 200
    script = f"for i in $(seq 30); do mkdir {name} && cd -P {name} || exit 1; done; touch end; echo made {stamp()}"
    query = step(script, before='withWorkdir(path:"/deep"){', leaf='directory(path:"/deep"){digest}')
    assert running.query(query)["errors"][0]["extensions"]["reason"] == "path-too-long"
    assert fine(running)


def test_a_hundred_thousand_files_are_a_result_like_another(running: Engine):
    script = f"mkdir /many; cd /many; seq 100000 | xargs touch; echo made {stamp()}"
    query = step(script, leaf='stdout directory(path:"/many"){entries}')
    answer = running.query(query)["data"]["container"]["from"]["withExec"]
    assert len(answer["directory"]["entries"]) == 100_000
    assert fine(running)


def test_output_that_is_no_text_arrives(running: Engine):
    said = running.data(step(f"printf 'a\\377\\000\\033[31mb\\r' {stamp()}"))
    assert said.startswith("a")
    assert said.endswith("b\r")


def test_a_mounted_file_that_steps_only_read_takes_no_room_again(running: Engine, shared_home: Path, tmp_path: Path):
    name = f"lone-{time.time_ns()}"
    (tmp_path / name).write_bytes(b"x" * 3_000_000)
    source = running.data(f'{{host{{file(path:"{tmp_path}/{name}"){{id}}}}}}')
    mounted = f'withMountedFile(path:"/lone",source:"{source}"){{'
    reads = "".join(f'withExec(args:["sh","-c","wc -c < /lone {stamp()} {number}"]){{' for number in range(3))
    assert running.data(step("wc -c < /lone", before=mounted + reads)) == "3000000\n"
    assert len({each.stat().st_ino for each in shared_home.glob(f"l/*/{name}")}) == 1
    writes = f'withExec(args:["sh","-c","echo -n more >> /lone; touch -d @1 /lone {stamp()}"]){{'
    assert running.data(step("wc -c < /lone", before=mounted + writes)) == "3000004\n"
    keeps = f'withExec(args:["sh","-c","printf y | dd of=/lone conv=notrunc; touch -r /etc/passwd /lone {stamp()}"]){{'
    assert running.data(step("head -c 2 /lone", before=mounted + keeps)) == "yx"
