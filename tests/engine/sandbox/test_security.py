"""What a hostile step or image can't do, in either backend; and what must work all the same."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path

import pytest

from sealane_engine.errors import EngineError
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.plan import Bind, Content, Mount, Tmpfs

CAP_DAC_OVERRIDE = 1 << 1

REFUSED = {
    "write core_pattern": "echo '|/bin/x' > /proc/sys/kernel/core_pattern",
    "write a network sysctl": "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "write sysrq-trigger": "echo h > /proc/sysrq-trigger",
    "write uevent_helper": "echo /x > /sys/kernel/uevent_helper",
    "unmount a protection": "umount /proc/sys",
    "remount a protection": "mount -o remount,rw,bind /proc/sys",
    "mount a second proc": "mount -t proc proc /mnt",
    "mount a tmpfs": "mount -t tmpfs x /mnt",
    "mount cgroups": "mount -t cgroup -o pids x /mnt",
    "make a device": "mknod /tmp/vda b 254 0",
    "make a character device": "mknod /tmp/null c 1 3",
    "a user namespace": "unshare -U true",
    "a user namespace with a map": "unshare -Ur true",
    "a mount namespace": "unshare -m true",
    "a network namespace": "unshare -n true",
    "enter pid 1's namespaces": "nsenter -t 1 -m true",
    "read the kernel's memory": "head -c 1 /proc/kcore | grep .",
    "read pid 1's memory": "head -c 1 /proc/1/mem | grep .",
    "walk through pid 1's root": "ls /proc/1/root/",
    "look at pid 1's executable": "readlink /proc/1/exe",
    "look at pid 1's working directory": "readlink /proc/1/cwd",
    "read the kernel's log": "dmesg",
    "change the clock": "date -s '2030-01-01'",
    "change the host name": "hostname other",
    "kill outside": "kill -9 2",
    "trace pid 1": "perl -e 'exit(syscall(101, 16, 1, 0, 0) == 0 ? 0 : 1)'",
    "bpf": "perl -e 'exit(syscall(321, 0, 0, 0) >= 0 || $! != 1 ? 0 : 1)'",
    "keyctl": "perl -e 'exit(syscall(250, 0, -3, 0) >= 0 || $! != 1 ? 0 : 1)'",
    "userfaultfd": "perl -e 'exit(syscall(323, 1) >= 0 || $! != 1 ? 0 : 1)'",
    "io_uring": "perl -e '$p = \"\\0\" x 120; exit(syscall(425, 1, $p) >= 0 || $! != 1 ? 0 : 1)'",
    "perf_event_open": "perl -e '$p = \"\\0\" x 128; exit(syscall(298, $p, 0, -1, -1, 0) >= 0 || $! != 1 ? 0 : 1)'",
    "clone3": "perl -e 'exit(syscall(435, 0, 0) >= 0 || $! != 38 ? 0 : 1)'",
    "a call by its x32 number": "perl -e 'exit(syscall(0x40000000 + 39) >= 0 || $! != 38 ? 0 : 1)'",
    "vsock": "perl -e 'exit(syscall(41, 40, 1, 0) >= 0 || $! != 97 ? 0 : 1)'",
    "type into a terminal": "perl -e '$c = \"x\"; exit(syscall(16, 0, 0x5412, $c) >= 0 || $! != 1 ? 0 : 1)'",
    "the same with high bits set": "perl -e '$c = \"x\"; exit(syscall(16, 0, 0x100005412, $c) >= 0 || $! != 1 ? 0 : 1)'",
}
"""Scripts that must fail. Numbers of system calls are x86_64's."""


@pytest.mark.parametrize("uid", [0, 1000])
def test_what_leads_out_is_refused(in_sandboxes, uid):
    refused = {
        name: script for name, script in REFUSED.items() if "syscall" not in script or os.uname().machine == "x86_64"
    }

    async def body(box):
        lines = [f"({script}) >/dev/null 2>&1 && echo '{name}'" for name, script in refused.items()]
        ran = await box.sh("\n".join([*lines, "true"]), uid=uid)
        assert ran.out.splitlines() == [], ran

    in_sandboxes(body)


def test_filter_is_what_refuses_even_where_capabilities_would_allow(in_sandboxes):
    """Under privileged there is no such filter, and mounting works: it is no accident that it fails otherwise."""

    async def body(box):
        assert (await box.sh("mount -t tmpfs x /mnt && unshare -m true", privileged=True)).code == 0
        ran = await box.sh("echo x > /proc/sys/kernel/core_pattern", privileged=True)
        assert ran.code != 0

    before = Path("/proc/sys/kernel/core_pattern").read_text()
    in_sandboxes(body)
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_only_own_processes_are_seen(in_sandboxes):
    async def body(box):
        ran = await box.sh("cat /proc/[0-9]*/comm | sort -u")
        # runc's own starter is in the sandbox's namespace too, until it has gone
        assert set(ran.out.split()) <= {".init", "sh", "cat", "sort", "runc"}
        own = f"{ROOT_RANGE.base}"
        assert (await box.sh("cat /proc/self/uid_map")).out.split() == ["0", own, "65536"]

    in_sandboxes(body)


def test_loopback_and_abstract_sockets_of_the_host_are_out_of_reach(in_sandboxes):
    async def body(box):
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
            name = f"sealane-test-{os.getpid()}"
            unix.bind(f"\0{name}")
            unix.listen()
            port = tcp.getsockname()[1]
            assert (await box.run("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}")).code != 0
            perl = (
                "use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0);"
                f'exit(connect($s, pack("Sa*", AF_UNIX, "\\0{name}")) ? 0 : 9)'
            )
            assert (await box.run("perl", "-e", perl)).code == 9

    in_sandboxes(body)


@pytest.mark.parametrize("kind", ["content", "tmpfs", "bind"])
def test_a_link_in_an_image_cannot_point_a_mount_at_the_host(in_sandboxes, tmp_path, kind):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("untouched")

    async def body(box):
        volume = box.debian.staging("volume")
        source = {"content": Content(b"planted", mode=0o644), "tmpfs": Tmpfs(), "bind": Bind(f"{volume}/fs")}[kind]
        for link in (
            str(victim),
            f"/oldroot{victim}",
            f"../../../../../..{victim}",
            "/proc/self/root/..",
            "/proc/1/cwd",
        ):
            image = box.debian.staging("image")
            (box.debian.home / image / "fs/link").symlink_to(link)
            mounts = (Mount("/link/planted", source), Mount("/link/../../../../other", Tmpfs()))
            running = box.sh("test -e /link/planted", root=box.debian.root("t", f"{image}/fs"), mounts=mounts)
            if link.startswith("/proc"):
                with pytest.raises(EngineError, match="can't be set up"):
                    await running
            else:
                assert (await running).code == 0, link
            assert [path.name for path in victim.iterdir()] == ["file"]
            assert "oldroot" not in names("/")

    in_sandboxes(body)


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
@pytest.mark.parametrize("link", ["/", "/etc", "../../../../../../etc", "/nowhere/at/all", "loop"])
def test_system_directories_that_are_links_keep_their_protection(in_sandboxes, debian, name, link):
    target = f"/{name}" if link == "loop" else link

    async def body(box):
        image = box.debian.staging("image")
        (box.debian.home / image / "fs" / name).symlink_to(target)
        root = box.debian.root("t", f"{image}/fs")
        before = names("/etc")
        only_on_host = before - names(debian.home / debian.layer / "etc")
        try:
            ran = await box.sh("echo x > /proc/sys/kernel/core_pattern; ls /etc /nowhere/at/all", root=root)
        except EngineError:  # refusing it is fine
            pass
        else:
            assert "Read-only file system" in ran.err or "Permission denied" in ran.err or "nonexistent" in ran.err, ran
            assert not set(ran.out.split()) & only_on_host
        assert names("/etc") == before

    before = Path("/proc/sys/kernel/core_pattern").read_text()
    in_sandboxes(body)
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


@pytest.mark.parametrize("target", ["/proc", "/proc/sys", "/proc/self/fd", "/sys/firmware", "/", "/proc/1/root"])
def test_nothing_is_mounted_over_what_is_protected(in_sandboxes, target):
    async def body(box):
        with pytest.raises(EngineError) as error:
            await box.run("true", mounts=(Mount(target, Tmpfs()),))
        assert error.value.reason == "sandbox-setup"

    in_sandboxes(body)


def test_working_directory_is_never_one_of_the_host(in_sandboxes):
    async def body(box):
        for number in range(12):
            with pytest.raises(EngineError, match="can't be set up"):
                await box.sh("pwd; ls", cwd=f"/proc/self/fd/{number}")
        assert (await box.run("pwd", cwd="/../../tmp")).out == "/tmp\n"

    in_sandboxes(body)


def test_devices_in_volumes_and_layers_are_dead(in_sandboxes):
    async def body(box):
        volume = box.debian.staging("volume")
        node = box.debian.home / volume / "fs/zero"
        os.mknod(node, 0o666 | 0o020000, os.makedev(1, 5))
        node.chmod(0o666)
        root = box.debian.root("t", f"{volume}/fs")
        ran = await box.sh(
            "head -c1 /volume/zero; head -c1 /zero", mounts=(Mount("/volume", Bind(f"{volume}/fs")),), root=root
        )
        assert ran.err.count("Permission denied") == 2, ran

    in_sandboxes(body)


def test_setuid_programs_and_file_capabilities_work(in_sandboxes):
    async def body(box):
        image = box.debian.staging("image")
        fs = box.debian.home / image / "fs"
        cat = (box.debian.home / box.debian.layer / "bin/cat").resolve().read_bytes()
        for name in ("suid", "capable", "plain"):
            (fs / name).write_bytes(cat)
            os.chown(fs / name, ROOT_RANGE.base, ROOT_RANGE.base)
            (fs / name).chmod(0o755)
        (fs / "suid").chmod(0o4755)
        v3 = struct.pack("<IIIIII", 0x03000001, CAP_DAC_OVERRIDE, 0, 0, 0, ROOT_RANGE.base)
        os.setxattr(fs / "capable", "security.capability", v3)
        secret = Mount("/secret", Content(b"hidden"))
        script = "/suid /secret; /capable /secret; /plain /secret"
        ran = await box.sh(script, uid=1000, gid=1000, mounts=(secret,), root=box.debian.root("t", f"{image}/fs"))
        assert (ran.out, ran.code) == ("hiddenhidden", 1), ran

    in_sandboxes(body)


def test_sudo_and_setcap_work(in_sandboxes):
    async def body(box):
        hosts = Mount("/etc/hosts", Content(b"127.0.0.1 localhost sealane\n", mode=0o644))
        script = """
            set -e
            echo 'nobody ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/nobody
            sudo -u nobody sudo -n id -u
            cp /bin/cat /tmp/cat; setcap cap_dac_override+ep /tmp/cat; echo hidden > /tmp/f; chmod 0 /tmp/f
            setpriv --reuid 1000 --clear-groups /tmp/cat /tmp/f
            setpriv --reuid 1000 --clear-groups cat /tmp/f || echo no"""
        ran = await box.sh(script, mounts=(hosts,))
        assert ran.out.split() == ["0", "hidden", "no"], ran

    in_sandboxes(body)


def test_secrets_are_on_no_disk(in_sandboxes):
    async def body(box):
        secret = b"canary-" + os.urandom(8).hex().encode()
        ran = await box.sh(
            "wc -c < /run/s; grep -c tmpfs /proc/self/mountinfo", mounts=(Mount("/run/s", Content(secret)),)
        )
        assert ran.code == 0
        for path in (box.debian.home / ran.root.staging).rglob("*"):
            if path.is_file():
                assert secret not in path.read_bytes()

    in_sandboxes(body)


def test_sandboxes_do_not_see_each_other(in_sandboxes):
    async def body(box):
        async def one(number):
            return await box.sh(
                f"echo {number} > /tmp/mine; sleep 0.1; cat /tmp/mine; ls /proc | grep -c '^[0-9]'; ls /proc/self/fd"
            )

        for number, ran in enumerate(await asyncio.gather(*(one(number) for number in range(6)))):
            lines = ran.out.split()
            assert lines[0] == str(number)
            assert int(lines[1]) <= 5
            assert lines[2:] == ["0", "1", "2", "3"], ran

    in_sandboxes(body)


def names(folder: Path | str) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}
