"""A suite's minimal base: mmdebstrap, run as root of a user namespace, straight into a staging of the store.

Debian's maintainer scripts never run as the host's root, no subuid range is needed, and owners are shifted already.
What would differ between two builds, or tell of this host, is taken out; later times are set back to the archive's.
"""

from __future__ import annotations

import contextlib
import email.utils
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine import preflight
from sealane_engine.errors import DiskFull, HostError, ImageError
from sealane_engine.images.catalog import apt, userns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealane_engine.sandbox.ids import IdRange

EPOCH = 1_700_000_000
"""SOURCE_DATE_EPOCH of the bootstrap: it only shows in the password file's dates."""

LISTS = "var/lib/apt/lists"

# As Debian's slim images do: no documentation, manual pages or translations, here and in later installations.
_EXCLUDES = """\
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/groff/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/linda/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*
path-include=/usr/share/locale/locale.alias
path-exclude=/usr/share/man/*
"""
_APT_CONF = """\
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::AutoRemove::SuggestsImportant "false";
APT::Keep-Downloaded-Packages "false";
Binary::apt::APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
_FILES = {
    "etc/dpkg/dpkg.cfg.d/slim": (_EXCLUDES, 0o644),
    "etc/dpkg/dpkg.cfg.d/unsafe-io": ("force-unsafe-io\n", 0o644),
    "etc/apt/apt.conf.d/keep-small": (_APT_CONF, 0o644),
    # A package must not start its service while it is being installed.
    "usr/sbin/policy-rc.d": ("#!/bin/sh\nexit 101\n", 0o755),
    "etc/machine-id": ("", 0o444),
}
_REMOVE = (
    "etc/.pwd.lock",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/group-",
    "etc/gshadow-",
    "etc/hostname",
    "etc/passwd-",
    "etc/resolv.conf",
    "etc/shadow-",
    "var/cache/apt/archives",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/status-old",
    "var/log/alternatives.log",
    "var/log/apt/eipp.log.xz",
    "var/log/apt/history.log",
    "var/log/apt/term.log",
    "var/log/bootstrap.log",
    "var/log/dpkg.log",
)

ROOM = 512 << 20
"""Bytes that a bootstrap takes at its peak: package indexes, downloads and what is unpacked."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a bootstrap gave besides the files: the time of the archive's newest index, in seconds."""

    epoch: int


async def build(
    suite: str, architecture: str, *, fs: Path, scratch: Path, lists: Path, ids: IdRange, emulator: str = ""
) -> Base:
    """Bootstrap `suite` into the empty directory `fs`; the package indexes go to `lists` (replaced).

    `emulator` registers one for a foreign architecture (see `sandbox.emulation`). `scratch` is an empty directory for temporary files; all three belong to the steps' root.
    Raises HostError when mmdebstrap or the keyring is missing, DiskFull, ImageError when the bootstrap failed.
    """
    command = shutil.which("mmdebstrap")
    if command is None:
        raise HostError(
            f"no mmdebstrap: a base image of Debian {suite} can't be built here",
            reason="no-mmdebstrap",
            hint=f"{preflight.install('mmdebstrap')} (or make the image's registry reachable)",
        )
    apt.require_keyring()
    _require_room(fs, suite)
    host = apt.of_host()
    options = [f"--aptopt={setting}" for setting in (*host.settings, 'Acquire::Languages "none";')]
    options += [f"--dpkgopt={line}" for line in _EXCLUDES.splitlines()]
    with tempfile.NamedTemporaryFile("w", prefix="sealane-sources-", suffix=".list") as sources:
        sources.write(host.sources(suite))
        sources.flush()
        os.fchmod(sources.fileno(), 0o644)
        # Root inside our own user namespace, so "root" is the mode; /sys stays out, nothing in a minimal base wants it.
        args = (
            command, "--mode=root", "--variant=minbase", "--format=directory", f"--architectures={architecture}",
            "--skip=check/qemu", "--skip=chroot/mount/sys", "--skip=cleanup/apt/lists", "--skip=output/dev", "--quiet", *options,
            suite, str(fs), sources.name,
        )  # fmt: skip
        env = {"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"}  # fmt: skip
        code, output = await userns.run(args, ids, env=env, cwd=scratch, emulator=emulator)
    if code != 0:
        raise ImageError(
            f"building a base of Debian {suite} failed: {_last_words(output)}",
            reason="catalog-build-failed",
            hint="check that this machine reaches its Debian mirror (`apt-get update`)",
        )
    epoch = release_time(fs / LISTS)
    _move_lists(fs, lists, ids)
    _tidy(fs, suite, ids)
    clamp(fs, epoch)
    return Base(epoch)


def _require_room(fs: Path, suite: str) -> None:
    """Asked first: on a disk that fills up meanwhile apt's downloads hang instead of failing."""
    numbers = os.statvfs(fs)
    free = numbers.f_bavail * numbers.f_frsize
    if free < ROOM:
        raise DiskFull(
            f"no space left for a base image of Debian {suite}: it takes {ROOM >> 20} MiB while it is built, and "
            f"{free >> 20} are free at {fs}",
            hint="free some space (`sealane cache prune` removes what no run uses), then call again",
        )


def release_time(lists: Path) -> int:
    """The newest `Date:` of the indexes in `lists`."""
    newest = EPOCH
    for file in lists.iterdir():
        if file.name.endswith("InRelease"):
            with file.open(errors="replace") as text:
                for line in text:
                    if match := re.match(r"Date: (.*)", line):
                        newest = max(newest, int(email.utils.parsedate_to_datetime(match[1]).timestamp()))
                        break
    return newest


def clamp(root: Path, epoch: int) -> None:
    """Set times after `epoch` back to it: the same packages give the same bytes whenever they are installed."""
    limit = epoch * 1_000_000_000
    for path in _walk(str(root)):
        if os.lstat(path).st_mtime_ns > limit:
            os.utime(path, ns=(limit, limit), follow_symlinks=False)


def _walk(root: str) -> Iterator[str]:
    for directory, names, files in os.walk(root, topdown=False):
        for name in files:
            yield f"{directory}/{name}"
        yield from (path for name in names if os.path.islink(path := f"{directory}/{name}"))
        yield directory


def _move_lists(fs: Path, lists: Path, ids: IdRange) -> None:
    """The indexes are worth keeping for the layers to come, but not in the image."""
    source = _inside(fs, LISTS)
    for old in lists.iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for entry in source.iterdir():
        entry.rename(lists / entry.name)
    partial = source / "partial"
    partial.mkdir(mode=0o700)
    os.chown(partial, ids.outer(0), ids.outer(0))


def _tidy(fs: Path, suite: str, ids: IdRange) -> None:
    for name in _REMOVE:
        path = _inside(fs, name)
        if path.is_dir() and not path.is_symlink():
            for child in path.iterdir():
                shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    root = ids.outer(0)
    files = {**_FILES, "etc/apt/sources.list.d/debian.sources": (apt.official_sources(suite), 0o644)}
    for name, (text, mode) in files.items():
        path = _inside(fs, name)
        path.unlink(missing_ok=True)
        path.write_text(text)
        os.chown(path, root, root)
        path.chmod(mode)


def _inside(fs: Path, name: str) -> Path:
    """A path below `fs`, no directory of which is a link: what is written there stays there."""
    path = fs
    for part in name.split("/")[:-1]:
        path = path / part
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise ImageError(f"the base's /{path.relative_to(fs)} is not a directory", reason="catalog-build-failed")
    return fs / name


def _last_words(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith(("E:", "W:", "Err"))] or output.splitlines()
    return " | ".join(line.strip() for line in lines[-4:]) or "no output"
