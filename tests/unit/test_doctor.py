"""Each probe of the host tells what is missing and what to do about it; shown on made-up machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealane_engine import doctor, trial
from sealane_engine.doctor import FileSystem
from sealane_engine.sandbox.ids import IdRange

GIB = 1024**3


def put(root: Path, path: str, text: str = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_another_system_is_sent_to_a_dagger_engine():
    found = doctor.system("darwin")
    assert not found.ok
    assert "dagger call run" in found.remedy


@pytest.mark.parametrize(
    ("release", "ok"), [("6.1.0-13-amd64", True), ("6.18.44", True), ("5.15.0-91-generic", False), ("odd", False)]
)
def test_a_kernel_older_than_6_1_is_refused(release: str, ok: bool):
    assert doctor.kernel(release).ok is ok


def test_ids_are_free_on_a_fresh_machine(tmp_path: Path):
    put(tmp_path, "etc/subuid", "ada:100000:65536\n")
    put(tmp_path, "etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    assert doctor.id_range(tmp_path).ok


@pytest.mark.parametrize("base", [0x7000_0000 - 10, 0x7000_0000 + 65_535])
def test_an_overlapping_range_names_its_owner(tmp_path: Path, base: int):
    put(tmp_path, "etc/subgid", f"ada:{base}:65536\n")
    found = doctor.id_range(tmp_path)
    assert not found.ok
    assert "ada" in found.detail
    assert "/etc/subgid" in found.remedy


def test_a_user_whose_id_is_in_the_range_is_named(tmp_path: Path):
    put(tmp_path, "etc/passwd", f"eve:x:{0x7000_0005}:100::/:/bin/sh\n")
    assert "eve" in doctor.id_range(tmp_path).remedy


def test_a_user_without_subordinate_ids_gets_the_command(tmp_path: Path):
    put(tmp_path, "etc/subuid", "ada:100000:65536\n")
    assert doctor.subordinate_ids(tmp_path, "bob", 1001).remedy.endswith("bob")
    put(tmp_path, "etc/subgid", "1000:100000:65536\n")
    assert doctor.subordinate_ids(tmp_path, "ada", 1000).ok


def test_a_forbidden_step_in_a_container_names_what_to_ask_for(tmp_path: Path):
    put(tmp_path, ".dockerenv")
    found = trial.Found((("user", "unshare: Operation not permitted"),))
    (only,) = doctor.in_namespace(found, contained=doctor.in_container(tmp_path), root=tmp_path)
    assert not only.ok
    assert "seccomp=unconfined" in only.remedy


def test_masked_proc_in_a_container_names_systempaths(tmp_path: Path):
    found = trial.Found((("user", ""), ("proc", "mount: Operation not permitted")))
    user, proc = doctor.in_namespace(found, contained=True, root=tmp_path)
    assert user.ok
    assert "systempaths=unconfined" in proc.remedy


@pytest.mark.parametrize(
    ("switch", "value", "remedy"),
    [
        ("kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1\n", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("user/max_user_namespaces", "0\n", "user.max_user_namespaces=15000"),
    ],
)
def test_the_switch_that_closes_user_namespaces_is_named(tmp_path: Path, switch: str, value: str, remedy: str):
    put(tmp_path, f"proc/sys/{switch}", value)
    found = trial.Found((("user", "unshare: Operation not permitted"),))
    (only,) = doctor.in_namespace(found, contained=True, root=tmp_path)
    assert remedy in only.remedy


def test_an_overlay_that_the_file_system_refuses_asks_for_another(tmp_path: Path):
    found = trial.Found((("overlay", "mount: Invalid argument"),))
    (only,) = doctor.in_namespace(found, contained=False, root=tmp_path)
    assert "SEALANE_HOME" in only.remedy


def test_a_kernel_without_seccomp_filters_is_told(tmp_path: Path):
    assert not doctor.seccomp(tmp_path).ok
    put(tmp_path, "proc/sys/kernel/seccomp/actions_avail", "kill_process errno allow\n")
    assert doctor.seccomp(tmp_path).ok


def test_a_missing_tun_device_says_how_to_have_it(tmp_path: Path):
    found = doctor.tun(tmp_path / "dev/net/tun")
    assert not found.ok
    assert "--device /dev/net/tun" in found.remedy


@pytest.mark.parametrize(
    ("folders", "kind"),
    [(["cgroup.controllers/"], "v2"), (["pids"], "v1"), (["pids", "unified"], "hybrid")],
)
def test_the_kind_of_cgroups_is_told(tmp_path: Path, folders: list[str], kind: str):
    for folder in folders:
        (tmp_path / "sys/fs/cgroup" / folder).mkdir(parents=True)
    found = doctor.cgroups(tmp_path, writable=lambda _path, _mode: True)
    assert (found.ok, found.detail) == (True, kind)


def test_cgroups_that_cannot_be_written_cost_the_limits_only(tmp_path: Path):
    put(tmp_path, "sys/fs/cgroup/cgroup.controllers")
    found = doctor.cgroups(tmp_path, writable=lambda _path, _mode: False)
    assert not found.ok
    assert found.optional


@pytest.mark.parametrize(
    ("facts", "ok", "optional"),
    [
        (FileSystem("ext4", 80 * GIB, 1_000_000), True, False),
        (FileSystem("btrfs", 80 * GIB, None), True, False),
        (FileSystem("overlay", 80 * GIB, None), False, False),
        (FileSystem("nfs4", 80 * GIB, None), False, False),
        (FileSystem("ext4", 1 * GIB, 1_000_000), False, True),
        (FileSystem("ext4", 80 * GIB, 10), False, False),
    ],
)
def test_a_store_needs_room_and_a_file_system_that_carries_overlays(
    tmp_path: Path, facts: FileSystem, ok: bool, optional: bool
):
    found = doctor.store(tmp_path, facts)
    assert (found.ok, found.optional) == (ok, optional)


def test_the_file_system_of_a_path_is_that_of_its_nearest_mount():
    mounts = [
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw",
        "21 20 0:5 / /var rw shared:1 - xfs /dev/sdb rw",
        r"22 20 0:6 / /my\040disk rw - btrfs /dev/sdc rw",
    ]
    assert doctor.kind_of(Path("/home/x"), mounts) == "ext4"
    assert doctor.kind_of(Path("/var/lib/sealane"), mounts) == "xfs"
    assert doctor.kind_of(Path("/my disk/store"), mounts) == "btrfs"
    assert doctor.kind_of(Path("/variable"), mounts) == "ext4"


def test_missing_keys_of_debian_come_with_the_command_that_installs_them(tmp_path: Path):
    found = doctor.keyring(tmp_path / "debian-archive-keyring.gpg")
    assert not found.ok
    assert found.remedy.endswith("apt-get install -y debian-archive-keyring")


def test_what_cannot_even_be_tried_is_an_error_of_the_trial(tmp_path: Path):
    import asyncio

    missing = tmp_path / "gone"
    found = asyncio.run(trial.run(missing, IdRange(0x7000_0000), rootless=os.geteuid() != 0))
    assert found.steps[0][0] == "overlay"
    assert str(missing) in found.steps[0][1]


def test_each_tool_of_a_sandbox_has_a_remedy():
    assert [tool.name for tool in doctor.TOOLS] == ["apt", "pip", "npm", "Python's TLS", "curl"]
    assert all(tool.args and tool.remedy for tool in doctor.TOOLS)
