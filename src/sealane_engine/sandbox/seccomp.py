"""The deny list of system calls, compiled to a BPF program by hand (x86_64 with i386, and aarch64).

Everything is allowed but what leads out of a sandbox or into rarely used parts of the kernel. Capabilities already
forbid most of it; the list holds when a step finds a way to capabilities in a user namespace of its own.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
_MACHINES = {"x86_64": (X86_64, I386), "aarch64": (AARCH64,), "arm64": (AARCH64,)}

EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_SET = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGS = 0, 4, 16

NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW flag; clone(2) has its exit signal in the low byte, so not NEWTIME there
_X32 = 0x40000000


class Call(NamedTuple):
    """One system call's numbers; None where the machine has none."""

    x86_64: int | None
    i386: int | None
    aarch64: int | None


DENIED: dict[str, Call] = {
    "mount": Call(165, 21, 40),
    "umount": Call(None, 22, None),
    "umount2": Call(166, 52, 39),
    "pivot_root": Call(155, 217, 41),
    "open_tree": Call(428, 428, 428),
    "open_tree_attr": Call(467, 467, 467),
    "move_mount": Call(429, 429, 429),
    "fsopen": Call(430, 430, 430),
    "fsconfig": Call(431, 431, 431),
    "fsmount": Call(432, 432, 432),
    "fspick": Call(433, 433, 433),
    "mount_setattr": Call(442, 442, 442),
    "setns": Call(308, 346, 268),
    "bpf": Call(321, 357, 280),
    "perf_event_open": Call(298, 336, 241),
    "add_key": Call(248, 286, 217),
    "request_key": Call(249, 287, 218),
    "keyctl": Call(250, 288, 219),
    "userfaultfd": Call(323, 374, 282),
    "io_uring_setup": Call(425, 425, 425),
    "io_uring_enter": Call(426, 426, 426),
    "io_uring_register": Call(427, 427, 427),
    "fanotify_init": Call(300, 338, 262),
    "syslog": Call(103, 103, 116),
    "vhangup": Call(153, 111, 58),
    "lookup_dcookie": Call(212, 253, 18),
    "uselib": Call(134, 86, None),
    "_sysctl": Call(156, 149, None),
    "vm86": Call(None, 166, None),
    "vm86old": Call(None, 113, None),
}
"""Denied in an ordinary step."""

DENIED_ALWAYS: dict[str, Call] = {
    "kexec_load": Call(246, 283, 104),
    "kexec_file_load": Call(320, None, 294),
    "init_module": Call(175, 128, 105),
    "finit_module": Call(313, 350, 273),
    "delete_module": Call(176, 129, 106),
    "create_module": Call(174, 127, None),
    "query_module": Call(178, 167, None),
    "get_kernel_syms": Call(177, 130, None),
    "open_by_handle_at": Call(304, 342, 265),
    "quotactl": Call(179, 131, 60),
    "quotactl_fd": Call(443, 443, 443),
    "acct": Call(163, 51, 89),
    "swapon": Call(167, 87, 224),
    "swapoff": Call(168, 115, 225),
    "reboot": Call(169, 88, 142),
    "settimeofday": Call(164, 79, 170),
    "clock_settime": Call(227, 264, 112),
    "clock_settime64": Call(None, 404, None),
    "stime": Call(None, 25, None),
    "nfsservctl": Call(180, 169, 42),
    "iopl": Call(172, 110, None),
    "ioperm": Call(173, 101, None),
}
"""Denied in a privileged step too."""

_CLONE = Call(56, 120, 220)
_CLONE3 = Call(435, 435, 435)
_UNSHARE = Call(272, 310, 97)
_IOCTL = Call(16, 54, 29)
_SOCKET = Call(41, 359, 198)
_SOCKETCALL = Call(None, 102, None)

TERMINAL_REQUESTS = (0x5412, 0x541C, 0x5423)
"""TIOCSTI types into a terminal, TIOCLINUX into the console, TIOCSETD loads line disciplines."""
AF_VSOCK = 40


def _instruction(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, k)


def _give(errno: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | errno)


def _when(call: int | None, body: list[bytes]) -> list[bytes]:
    """Run `body` if the number (in the accumulator) is this call's; it must return on every path."""
    return [] if call is None else [_instruction(_EQUAL, call, 0, len(body)), *body]


def _argument(index: int) -> bytes:
    """Load the low half of an argument."""
    return _instruction(_LOAD, _OFFSET_ARGS + 8 * index)


def _for_architecture(arch: int, *, privileged: bool) -> list[bytes]:
    column = {X86_64: 0, I386: 1, AARCH64: 2}[arch]
    allow = _instruction(_RETURN, _ALLOW)
    code = [_instruction(_LOAD, _OFFSET_NUMBER)]
    if arch == X86_64:  # the x32 numbers are a second way to every call
        code += [_instruction(_AT_LEAST, _X32, 0, 1), _give(ENOSYS)]
    requests = len(TERMINAL_REQUESTS)
    terminal = [_instruction(_EQUAL, request, requests - i, 0) for i, request in enumerate(TERMINAL_REQUESTS)]
    code += _when(_IOCTL[column], [_argument(1), *terminal, allow, _give(EPERM)])
    # Host and guests of a virtual machine talk over vsock, which no network namespace hides.
    vsock = [_argument(0), _instruction(_EQUAL, AF_VSOCK, 1, 0), allow, _give(EAFNOSUPPORT)]
    code += _when(_SOCKET[column], vsock)
    code += _when(_SOCKETCALL[column], [_give(ENOSYS)])  # its arguments are in memory; libc falls back on socket()
    if not privileged:
        # clone3's flags are in memory, out of a filter's sight: ENOSYS makes libc use clone.
        code += _when(_CLONE3[column], [_give(ENOSYS)])
        for call, flags in ((_CLONE, NEW_NAMESPACES & ~0xFF), (_UNSHARE, NEW_NAMESPACES)):
            code += _when(call[column], [_argument(0), _instruction(_SET, flags, 1, 0), allow, _give(EPERM)])
    denied = DENIED_ALWAYS if privileged else DENIED | DENIED_ALWAYS
    numbers = sorted(number for call in denied.values() if (number := call[column]) is not None)
    for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
        code.append(_instruction(_EQUAL, number, left, 0))
    return [*code, allow, _give(EPERM)]


def compile_filter(machine: str, *, privileged: bool = False) -> bytes:
    """The filter for a machine (`os.uname().machine`). Calls of an architecture that isn't listed answer ENOSYS."""
    program = [_instruction(_LOAD, _OFFSET_ARCH)]
    for arch in _MACHINES[machine]:
        body = _for_architecture(arch, privileged=privileged)
        program += [_instruction(_EQUAL, arch, 0, len(body)), *body]
    return b"".join([*program, _give(ENOSYS)])
