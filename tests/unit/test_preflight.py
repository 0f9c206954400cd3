"""The engine refuses to start, with one clear reason, where it can't work."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane_engine import preflight
from sealane_engine.errors import HostError


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH that has every tool."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in preflight.TOOLS:
        (folder / tool.command).write_text("#!/bin/sh\n")
        (folder / tool.command).chmod(0o755)
    return str(folder)


def refused(home: Path, **machine: str | bool) -> HostError:
    with pytest.raises(HostError) as caught:
        preflight.check(home, **machine)
    return caught.value


def test_a_good_machine_passes(tmp_path: Path, path: str):
    preflight.check(tmp_path / "home", release="6.1.0", path=path)


def test_another_system_is_told_how_to_run_on_a_dagger_engine(tmp_path: Path, path: str):
    error = refused(tmp_path, platform_name="darwin", path=path)
    assert error.reason == "not-linux"
    assert "dagger call run" in str(error)


def test_an_old_kernel_is_named(tmp_path: Path, path: str):
    error = refused(tmp_path, release="5.10.0-28-amd64", path=path)
    assert error.reason == "kernel-too-old"
    assert "5.10.0-28-amd64" in error.message


def test_a_missing_package_comes_with_the_command_that_installs_it(tmp_path: Path, path: str):
    (Path(path) / "newuidmap").unlink()
    error = refused(tmp_path, release="6.1.0", path=path, rootless=True)
    assert error.reason == "package-missing"
    assert error.hint.endswith("apt-get install -y uidmap")


def test_what_only_some_steps_need_is_not_missed_at_the_start(tmp_path: Path, path: str):
    for name in ("runc", "git", "mmdebstrap", "pasta", "newuidmap"):
        (Path(path) / name).unlink()
    preflight.check(tmp_path, release="6.1.0", path=path, rootless=False)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path, path: str):
    home = tmp_path / "home"
    home.write_text("")
    assert refused(home, release="6.1.0", path=path).reason == "home-unusable"
