"""What a user gets wrong, or a machine lacks: one clear error each, with what to do next, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
Typed = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(900)]


@pytest.fixture
def typed(environ: dict[str, str]) -> Typed:
    """Types a command in the repository's root."""

    def run(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, cwd=ROOT, env={**environ, **extra}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert "Traceback (most recent call last)" not in done.stdout + done.stderr
        return done

    return run


def in_namespace(*commands: str) -> tuple[str, ...]:
    """Words that run the rest in a mount namespace of its own, after `commands`."""
    return ("unshare", "--mount", "sh", "-ec", "; ".join(commands) + '; exec "$@"', "sh")


def test_an_unknown_configuration_key_is_named_with_the_nearest(typed: Typed, sample: Path):
    settings = sample / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.sealane.gates]\ncoverage", "[tool.sealane.gates]\ncoverge"))
    done = typed("sealane", "call", "--source", str(sample), "pipeline")
    assert done.returncode == 1
    assert "gates.coverge" in done.stderr
    assert "gates.coverage" in done.stderr


def test_a_missing_directory_is_named(typed: Typed, tmp_path: Path):
    done = typed("sealane", "call", "--source", str(tmp_path / "nowhere"), "pipeline")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_a_missing_secret_is_named(typed: Typed, tmp_path: Path):
    script = tmp_path / "secret.py"
    script.write_text(
        "import anyio, dagger\n"
        "from dagger import dag\n"
        "async def main():\n"
        "    async with dagger.connection():\n"
        "        try:\n"
        "            print(await dag.secret('env://NOT_SET_ANYWHERE').plaintext())\n"
        "        except dagger.QueryError as error:\n"
        "            raise SystemExit(f'said: {error}')\n"
        "anyio.run(main)\n"
    )
    done = typed("sealane", "run", sys.executable, str(script))
    assert done.returncode == 1
    assert "said: " in done.stderr
    assert "secret env var not found" in done.stderr  # of its name Dagger shows the beginning alone, and so do we


@pytest.mark.needs("network")
def test_an_unknown_image_is_named(typed: Typed, sample: Path):
    settings = sample / "pyproject.toml"
    text = settings.read_text().replace(
        "[tool.sealane.services.postgres]", '[tool.sealane.services.postgres]\nimage = "no-such-image:1"'
    )
    settings.write_text(text)
    done = typed("sealane", "call", "--source", str(sample), "test", "assert")
    assert done.returncode == 1
    assert "no-such-image:1" in done.stderr


@pytest.mark.needs("network")
def test_without_a_dockerfile_build_did_not_run_and_says_why(sample: Path, pipeline):
    (sample / "Dockerfile").unlink()
    ran = pipeline(sample)
    assert ran.code in (0, 1)
    assert ran.stage("build")["outcome"] == "not run"
    assert "Dockerfile" in ran.stage("build")["reason"]


def test_a_full_disk_is_told_with_the_way_out(typed: Typed, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    tmp_path.chmod(0o711)
    words = in_namespace(f"mount -t tmpfs -o size=24m tmpfs {home}")
    done = typed(*words, "sealane", "call", "--source", "examples/sutazai", "lint", "assert", SEALANE_HOME=str(home))
    assert done.returncode == 1
    assert "no space left" in done.stderr.lower()
    assert "sealane cache prune" in done.stderr


def test_too_old_a_kernel_is_refused(typed: Typed):
    done = typed("setarch", "--uname-2.6", "sealane", "call", "--source", "examples/sutazai", "pipeline")
    assert done.returncode == 1
    assert "needs Linux 6.1 or newer" in done.stderr
    assert "dagger" in done.stderr


@pytest.mark.needs("mmdebstrap")
def test_a_missing_system_package_comes_with_the_command_that_installs_it(typed: Typed, tmp_path: Path):
    tmp_path.chmod(0o711)
    words = in_namespace("mount --bind /dev/null /usr/bin/mmdebstrap")
    nowhere = "http://127.0.0.1:9"
    done = typed(
        *words, "sealane", "call", "--source", "examples/sutazai", "lint", "assert",
        SEALANE_HOME=str(tmp_path / "home"), HTTPS_PROXY=nowhere, https_proxy=nowhere,
    )  # fmt: skip
    assert done.returncode == 1
    assert "apt-get install" in done.stderr
    assert "mmdebstrap" in done.stderr
