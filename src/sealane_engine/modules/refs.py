"""References to modules: a path, or a repository with a folder and a version: `github.com/acme/ci/lint@v1.2.0`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"(?P<scheme>https?|ssh)://(?P<rest>.+)")
_SCP = re.compile(r"(?P<user>[A-Za-z0-9._-]+)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^/].*)")
_SEMVER = re.compile(r"v\d+(\.\d+){0,2}([-+].*)?")
_OWNER_AND_NAME = 2


@dataclass(frozen=True, slots=True)
class GitModuleRef:
    """`url` is what git clones, `subpath` where the module is in it (`.`: at its top), `version` a tag, branch or commit."""

    url: str
    subpath: str = "."
    version: str = ""

    def __str__(self) -> str:
        place = self.url if self.subpath == "." else f"{self.url}/{self.subpath}"
        return f"{place}@{self.version}" if self.version else place


def looks_remote(ref: str) -> bool:
    """Whether a reference that is no directory can only be a repository's: it begins with a host, as `github.com/…`."""
    if ref.startswith(("/", ".")):
        return False
    return bool(_SCHEME.fullmatch(ref) or _SCP.fullmatch(ref)) or ("." in ref.partition("/")[0] and "/" in ref)


def parse(ref: str) -> GitModuleRef:
    """Parse a repository's reference.

    Where the repository ends and the folder begins: after `.git`, else after owner and name, as the large forges have
    it. Raises InvalidInput (`module-ref`).
    """
    scheme, host, path = _split(ref)
    path, _, version = path.partition("@")
    parts = [part for part in path.split("/") if part]
    ends = next((index for index, part in enumerate(parts, start=1) if part.endswith(".git")), _OWNER_AND_NAME)
    if len(parts) < min(ends, _OWNER_AND_NAME) or not parts or ".." in parts:
        raise InvalidInput(
            f"module reference {ref!r} names no repository",
            reason="module-ref",
            hint="write HOST/OWNER/NAME[/FOLDER][@VERSION], or put .git behind the repository's name",
        )
    root, subpath = "/".join(parts[:ends]), "/".join(parts[ends:]) or "."
    separator = ":" if scheme == "scp" else "/"
    prefix = "" if scheme == "scp" else f"{scheme}://"
    return GitModuleRef(f"{prefix}{host}{separator}{root}", posixpath.normpath(subpath), version)


def _split(ref: str) -> tuple[str, str, str]:
    if found := _SCHEME.fullmatch(ref):
        host, _, path = found["rest"].partition("/")
        return found["scheme"], host, path
    if found := _SCP.fullmatch(ref):
        return "scp", f"{found['user']}@{found['host']}", found["path"]
    host, _, path = ref.partition("/")
    return "https", host, path


def tag_of(version: str, subpath: str, tags: Iterable[str]) -> str:
    """The tag that a version means: a module in a folder may have tags of its own (`lint/v1.2.0`)."""
    if not _SEMVER.fullmatch(version):
        return ""
    known = set(tags)
    own = f"{subpath}/{version}"
    return own if subpath != "." and own in known else version if version in known else ""
