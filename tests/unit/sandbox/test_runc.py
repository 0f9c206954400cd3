"""The runtime configuration that a plan becomes for runc."""

from __future__ import annotations

from sealane_engine.sandbox.plan import Command, Overlay, Plan
from sealane_engine.sandbox.runc import configuration, seccomp_profile


def plan(**options) -> Plan:
    return Plan(Overlay(("l/1",), "s/1"), Command(("true",), env=(("A", "1"),), uid=3, gid=4, groups=(5,)), **options)


def test_command_and_ids():
    process = configuration(plan())["process"]
    assert (process["args"], process["env"]) == (["true"], ["A=1"])
    assert process["user"] == {"uid": 3, "gid": 4, "additionalGids": [4, 5], "umask": 0o022}
    assert process["noNewPrivileges"] is False


def test_no_user_namespace_of_its_own_and_no_power_to_make_devices():
    made = configuration(plan())
    assert [namespace["type"] for namespace in made["linux"]["namespaces"]] == ["mount"]
    capabilities = made["process"]["capabilities"]
    assert "CAP_MKNOD" not in capabilities["bounding"]
    assert "CAP_SYS_ADMIN" not in capabilities["bounding"]
    assert capabilities["ambient"] == capabilities["inheritable"] == []


def test_without_init_the_command_gets_a_pid_namespace():
    made = configuration(plan(no_init=True))
    assert {"type": "pid"} in made["linux"]["namespaces"]
    assert "/proc" in [mount["destination"] for mount in made["mounts"]]


def test_privileged_keeps_capabilities_and_mounting():
    made = configuration(plan(privileged=True))
    assert "CAP_SYS_ADMIN" in made["process"]["capabilities"]["effective"]
    assert "maskedPaths" not in made["linux"]
    denied = {name for rule in seccomp_profile(privileged=True)["syscalls"] for name in rule["names"]}
    assert "mount" not in denied
    assert "kexec_load" in denied
