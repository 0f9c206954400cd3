"""The first run on a machine that has nothing: an empty store, and every name that is looked up written down."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
LIMIT = 15 * 60  # seconds, on two cores
# What a base image is asked for at, before it is built here; and where the public registries keep what they list.
REGISTRIES = {"docker.io", "docker.com", "pypi.org", "pythonhosted.org", "npmjs.org", "debian.org"}

# Services of scanners that the sample's configuration names, and accepts by name where they can't be had.
SCANNERS = {"semgrep.dev", "safetycli.com", "github.com"}

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(LIMIT + 60)]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hosts_of_this_machine() -> set[str]:
    """The hosts that pip, npm and apt are configured with here."""
    said = [
        subprocess.run(words, capture_output=True, text=True, check=False).stdout
        for words in (["python3", "-m", "pip", "config", "list"], ["npm", "config", "get", "registry"])
        if shutil.which(words[0])
    ]
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    said += [path.read_text() for path in sources if path.is_file()]
    urls = [url for text in said for url in re.findall(r"https?://[^\s'\"]+", text)]
    return {host for host in (urlsplit(url).hostname for url in urls) if host}


def foreign(names: set[str], allowed: set[str]) -> set[str]:
    return {name for name in names if not any(name == host or name.endswith(f".{host}") for host in allowed)}


def test_a_cold_run_passes_in_time_and_asks_nobody_but_registries_and_the_scanners_it_names(
    environ: dict[str, str], tmp_path: Path
):
    resolver = tmp_path / "resolv.conf"
    names = load("names")
    resolver.write_text(f"nameserver {names.ADDRESS}\n")
    # Not below pytest's own folders, which steps' ids may not walk.
    with tempfile.TemporaryDirectory(prefix="sealane-cold-", dir="/var/tmp") as home, names.recorded() as asked:
        Path(home).chmod(0o711)
        start = time.monotonic()
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", f'mount --bind {resolver} /etc/resolv.conf; exec "$@"', "sh",
             "./ci/pipeline", "-o", str(tmp_path / "out")],
            cwd=ROOT, env={**environ, "SEALANE_HOME": home}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        seconds = time.monotonic() - start
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert seconds < LIMIT
    assert asked
    assert foreign(asked, REGISTRIES | SCANNERS | hosts_of_this_machine()) == set()
    run = json.loads((tmp_path / "out/run.json").read_text())
    assert run["passed"]
    # No scanner of images can be had, so that stage has no step of its own.
    assert {stage["verdict"] for stage in run["stages"] if stage["name"] != "image-scan"} == {"ran"}
