"""What all tests share: markers by capability, a store of their own, and the rule that no test is skipped in silence.

`@pytest.mark.needs("root", "network")` skips a test where the machine lacks one; the reason names it. Under CI a
skip fails the run unless `allowed-skips.toml` has it with its reason.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import signal
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SKIPPED = pytest.StashKey[list[str]]()

# Where ci/go-tools.sh puts what it builds. Docker is below, and not on PATH: the pipeline would see it there, too.
_CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
os.environ["PATH"] += f":{_CACHE}/sealane-tools"

CAPABILITIES: dict[str, Callable[[], bool]] = {
    "root": lambda: os.geteuid() == 0,
    "network": lambda: os.environ.get("SEALANE_OFFLINE") != "1",
    "pasta": lambda: shutil.which("pasta") is not None,
    "runc": lambda: shutil.which("runc", path=os.environ["PATH"] + ":/usr/sbin:/sbin") is not None,
    "strace": lambda: shutil.which("strace") is not None,
    "mmdebstrap": lambda: shutil.which("mmdebstrap") is not None,
    "git": lambda: shutil.which("git") is not None,
    "docker-registry": lambda: shutil.which("docker-registry") is not None,
    "skopeo": lambda: shutil.which("skopeo") is not None,
    "zstd": lambda: shutil.which("zstd") is not None,
    "faketime": lambda: shutil.which("faketime") is not None,
    "umoci": lambda: shutil.which("umoci") is not None,
    "crane": lambda: shutil.which("crane") is not None,
    "cosign": lambda: shutil.which("cosign") is not None,
    "docker": lambda: Path(_CACHE, "sealane-tools/docker/complete").exists(),
    "qemu": lambda: shutil.which("qemu-aarch64-static") is not None,
    "dagger": lambda: shutil.which("dagger") is not None,
    "xmllint": lambda: shutil.which("xmllint") is not None,
    "chromium": lambda: shutil.which("chromium") is not None,
    "go": lambda: shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin") is not None,
    "jq": lambda: shutil.which("jq") is not None,
    "tun": lambda: os.access("/dev/net/tun", os.R_OK | os.W_OK),
}


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = []
    # A shell that runs the tests in its background has them ignore ^C; so would every program that they start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if name not in CAPABILITIES:
                pytest.fail(f"unknown capability {name!r}: see tests/conftest.py", pytrace=False)
            if not CAPABILITIES[name]():
                pytest.skip(f"needs: {name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        item.config.stash[SKIPPED].append(f"{item.nodeid} ({reason.removeprefix('Skipped: ')})")
    return report


@pytest.fixture(scope="session")
def shared_home() -> Path:
    """A store that outlives the run, so that base images are built once. Not below a home folder: steps' ids must
    reach it. SEALANE_TEST_HOME moves it."""
    home = Path(os.environ.get("SEALANE_TEST_HOME") or f"/var/tmp/sealane-test-{os.geteuid()}")
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    return home


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") and unlisted(session.config) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = unlisted(config)
    if rows:
        said = "skipped, and not in tests/allowed-skips.toml" + (": this fails the run" if os.environ.get("CI") else "")
        terminalreporter.section(said)
        for row in rows:
            terminalreporter.write_line(row)


def unlisted(config: pytest.Config) -> list[str]:
    """The skipped tests that no row of allowed-skips.toml names."""
    rows = tomllib.loads((HERE / "allowed-skips.toml").read_text()).get("skip", [])
    skipped = config.stash.get(SKIPPED, [])
    return [s for s in skipped if not any(fnmatch.fnmatchcase(s.split(" (")[0], row["test"]) for row in rows)]
