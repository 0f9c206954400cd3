"""The deny list: its numbers, and what the compiled program answers."""

from __future__ import annotations

import ctypes
import struct

import pytest

from sealane_engine.sandbox import seccomp
from sealane_engine.sandbox.seccomp import AARCH64, EAFNOSUPPORT, ENOSYS, EPERM, I386, X86_64, compile_filter

ALLOW = 0x7FFF0000
ARCHITECTURES = {X86_64: ("x86_64", "x86_64"), I386: ("i386", "x86_64"), AARCH64: ("aarch64", "aarch64")}


def answer(program: bytes, arch: int, number: int, *args: int) -> int | None:
    """Run a program as the kernel would: None if the call is allowed, else its errno."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *(*args, *(0,) * (6 - len(args))))
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = at = 0
    while True:
        operation, yes, no, k = code[at]
        at += 1
        match operation:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, k)[0]
            case 0x15:
                at += yes if accumulator == k else no
            case 0x45:
                at += yes if accumulator & k else no
            case 0x35:
                at += yes if accumulator >= k else no
            case 0x06:
                return None if k == ALLOW else k & 0xFFFF
            case _:
                raise AssertionError(operation)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("privileged", [False, True])
def test_exactly_the_list_is_denied(arch, privileged):
    column, machine = ARCHITECTURES[arch]
    program = compile_filter(machine, privileged=privileged)
    listed = seccomp.DENIED_ALWAYS if privileged else seccomp.DENIED | seccomp.DENIED_ALWAYS
    numbers = {getattr(call, column) for call in listed.values()} - {None}
    special = {"x86_64": {435}, "i386": {435, 102}, "aarch64": {435}}[column]
    if privileged:
        special -= {435}
    denied = {number for number in range(600) if answer(program, arch, number) is not None}
    assert denied == numbers | special
    assert {answer(program, arch, number) for number in numbers} == {EPERM}
    assert {answer(program, arch, number) for number in special} <= {ENOSYS}


def test_other_ways_to_the_same_calls_are_closed():
    program = compile_filter("x86_64")
    assert answer(program, X86_64, 0x40000000 + 165) == ENOSYS
    assert answer(program, 0x12345678, 1) == ENOSYS
    assert answer(compile_filter("aarch64"), 0x40000028, 1) == ENOSYS  # 32-bit ARM


@pytest.mark.parametrize("flag", [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000])
def test_new_namespaces_are_denied_unless_privileged(flag):
    program, privileged = compile_filter("x86_64"), compile_filter("x86_64", privileged=True)
    for clone_or_unshare in (56, 272):
        assert answer(program, X86_64, clone_or_unshare, flag | 0x11) == EPERM
        assert answer(program, X86_64, clone_or_unshare, 0x003D0F00) is None  # a thread
        assert answer(privileged, X86_64, clone_or_unshare, flag) is None


@pytest.mark.parametrize("privileged", [False, True])
def test_terminals_and_vsock_are_denied_by_argument(privileged):
    program = compile_filter("x86_64", privileged=privileged)
    for request in seccomp.TERMINAL_REQUESTS:
        assert answer(program, X86_64, 16, 0, request) == EPERM
        assert answer(program, X86_64, 16, 0, request | 1 << 32) == EPERM
    assert answer(program, X86_64, 16, 0, 0x5401) is None
    assert answer(program, X86_64, 41, 40) == EAFNOSUPPORT
    assert answer(program, X86_64, 41, 2) is None


def test_a_program_is_short_enough_for_its_jumps_and_the_kernel():
    for machine in ("x86_64", "aarch64"):
        assert len(compile_filter(machine)) // 8 < 4096


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_numbers_are_those_of_libseccomp(arch):
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("needs: libseccomp")
    calls = seccomp.DENIED | seccomp.DENIED_ALWAYS
    for name, call in calls.items():
        known = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(arch), name.encode())
        if known == -1:  # newer than the library
            continue
        assert getattr(call, ARCHITECTURES[arch][0]) == (known if known >= 0 else None), name
