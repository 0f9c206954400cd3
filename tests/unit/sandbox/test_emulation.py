"""Emulators: which there are, and what the kernel is told of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane_engine import doctor
from sealane_engine.errors import HostError
from sealane_engine.sandbox import emulation


def elf(machine: emulation.Machine, kind: int = 2, abi: int = 0) -> bytes:
    order = "big" if machine.big_endian else "little"
    ident = bytes((0x7F, *b"ELF", machine.bits // 32, 2 if machine.big_endian else 1, 1, abi)) + bytes(8)
    return ident + kind.to_bytes(2, order) + machine.number.to_bytes(2, order)


@pytest.mark.parametrize("name", emulation.MACHINES)
def test_each_machine_has_its_programs_and_no_others(name: str):
    magic, mask = emulation.pattern(emulation.MACHINES[name])

    def matches(head: bytes) -> bool:
        return all((byte ^ wanted) & bits == 0 for byte, wanted, bits in zip(head, magic, mask, strict=True))

    for other, machine in emulation.MACHINES.items():
        for kind, abi in ((2, 0), (3, 0), (3, 3)):  # a program, one that may lie anywhere, one with GNU's extensions
            assert matches(elf(machine, kind, abi)) is (other == name)
        assert not matches(elf(machine, kind=1))  # an object file


def test_the_line_is_what_debians_own_registration_says():
    file = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
    if not file.exists():
        pytest.skip("needs: qemu")
    theirs = file.read_bytes().decode("latin-1").strip().split(":")
    ours = emulation.registration("x", emulation.MACHINES["arm64"], "/qemu").split(":")
    assert ours[2:6] == theirs[2:6]
    assert set(theirs[7]) <= set(ours[7])


def test_the_machines_own_platform_needs_no_emulator():
    emulators = emulation.Emulators()
    for name in emulation.native():
        assert emulators.line(f"linux/{name}") == ""


def test_a_platform_that_nobody_emulates_is_refused():
    with pytest.raises(HostError) as caught:
        emulation.Emulators().line("linux/vax")
    assert caught.value.reason == "no-emulator"
    assert "arm64" in caught.value.message


def test_a_missing_emulator_names_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(emulation, "find", lambda _: None)
    monkeypatch.setattr(emulation, "registered", lambda _: False)
    with pytest.raises(HostError) as caught:
        emulation.Emulators().line("linux/s390x")
    assert caught.value.reason == "no-emulator"
    assert "qemu-user-static" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "usable"),
    [("enabled\ninterpreter /q\nflags: OCF\n", True), ("disabled\nflags: OCF\n", False), ("enabled\nflags: \n", False)],
)
def test_the_hosts_registration_serves_when_its_emulator_is_open(tmp_path: Path, text: str, usable: bool):
    (tmp_path / "qemu-aarch64").write_text(text)
    assert emulation.registered(emulation.MACHINES["arm64"], tmp_path) is usable
    assert not emulation.registered(emulation.MACHINES["s390x"], tmp_path)


def test_an_emulator_that_needs_a_loader_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def program(name: str, kind: int) -> None:
        head = bytearray(64 + 56)
        head[:6] = b"\x7fELF\x02\x01"
        head[32], head[54], head[56], head[64] = 64, 56, 1, kind
        (tmp_path / name).write_bytes(head)
        (tmp_path / name).chmod(0o755)

    monkeypatch.setattr("sealane_engine.preflight.search_path", lambda: str(tmp_path))
    machine = emulation.MACHINES["arm64"]
    program("qemu-aarch64", 3)
    assert emulation.find(machine) is None
    program("qemu-aarch64", 1)
    assert emulation.find(machine) == str(tmp_path / "qemu-aarch64")


def test_the_doctor_says_for_which_platforms_steps_run():
    probe = doctor.platforms({"amd64": "native", "arm64": "/usr/bin/qemu-aarch64-static"})
    assert probe.ok
    assert "linux/amd64" in probe.detail
    assert "emulated: linux/arm64" in probe.detail
    probe = doctor.platforms({"amd64": "native"})
    assert not probe.ok
    assert probe.optional
    assert "qemu-user-static" in probe.remedy
