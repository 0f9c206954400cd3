"""`sealane doctor`: probes of the host and one tool each from inside a sandbox, for people and as JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = {"apt", "pip", "npm", "Python's TLS", "curl"}
HOST = {"kernel", "ids", "user namespaces", "overlay", "proc", "seccomp", "tun", "cgroups", "store", "pasta"}

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(900)]


def doctor(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sealane", "doctor", *words], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.needs("network")
def test_this_machine_is_well_from_the_kernel_to_curl(environ: dict[str, str]):
    done = doctor(environ, "--json")
    probes = {probe["name"]: probe for probe in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(probes) >= HOST | TOOLS
    assert [probes[name] for name in HOST | TOOLS if not probes[name]["ok"]] == []


def test_quick_looks_at_the_host_alone(environ: dict[str, str], tmp_path: Path):
    home = tmp_path / "home"
    done = doctor({**environ, "SEALANE_HOME": str(home)}, "--quick")
    assert done.returncode == 0, done.stdout
    assert "✔ kernel" in done.stdout
    assert not home.exists()


def test_a_tool_that_fails_says_what_to_do(environ: dict[str, str]):
    broken = {**environ, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_INDEX": "0", "PIP_FIND_LINKS": ""}
    done = doctor(broken, "--json")
    probes = {probe["name"]: probe for probe in json.loads(done.stdout)}
    assert done.returncode == 1
    assert not probes["pip"]["ok"]
    assert "pip config list" in probes["pip"]["remedy"]
