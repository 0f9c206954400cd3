"""Where Debian's packages come from: the mirrors and the apt settings of the host where it has them, else Debian's own."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sealane_engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MAIN, SECURITY = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_SUITES = "buster|bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable"
_MAIN_SUITE = re.compile(rf"(?:{_SUITES})(?:-updates|-backports)?")
_SECURITY_SUITE = re.compile(rf"(?:{_SUITES})(?:-security|/updates)")
_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)")
# Settings that say how to reach a mirror and how to judge its answer; nothing that names a file of the host.
_SETTING = re.compile(
    r"Acquire::(?:https?::(?:Proxy(?:::[\w.-]+)?|Timeout|Pipeline-Depth|No-Cache|Dl-Limit)"
    r"|Retries|ForceIPv4|ForceIPv6|Queue-Mode|Check-Valid-Until|Check-Date|Max-FutureTime|By-Hash|PDiffs)"
    r" \"[^\"\\\n]*\";"
)


@dataclass(frozen=True, slots=True)
class Apt:
    """`settings` are lines of apt.conf."""

    main: str = MAIN
    security: str = SECURITY
    settings: tuple[str, ...] = ()

    def sources(self, suite: str, *also: str) -> str:
        """The one-line sources of suites, security updates included."""
        return "".join(_sources(each, self.main, self.security) for each in (suite, *also))

    def configuration(self, suite: str, authorities: str = "") -> str:
        """What goes into apt.conf to install packages of `suite`, the others standing in for what it doesn't have.

        `authorities` is a file of certificate authorities, for mirrors that speak HTTPS.
        """
        lines = [*self.settings, f'APT::Default-Release "/^{suite}(|-security|-updates)$/";']
        if authorities:
            lines.append(f'Acquire::https::CaInfo "{authorities}";')
        return "\n".join((*lines, ""))

    @property
    def needs_authorities(self) -> bool:
        return any(uri.startswith("https:") for uri in (self.main, self.security))


def official_sources(suite: str) -> str:
    """What an image says: Debian's own addresses, in apt's current format."""
    blocks = ((MAIN, f"{suite} {suite}-updates"), (SECURITY, f"{suite}-security"))
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {KEYRING}\n" for uri, suites in blocks
    )


def _sources(suite: str, main: str, security: str) -> str:
    signed = f"[signed-by={KEYRING}]"
    return (
        f"deb {signed} {main} {suite} main\n"
        f"deb {signed} {main} {suite}-updates main\n"
        f"deb {signed} {security} {suite}-security main\n"
    )


def of_host(root: Path = Path("/")) -> Apt:
    """Read the host's own apt configuration (`root` is another one, in tests)."""
    main = security = None
    for uri, suite in _host_sources(root / "etc/apt"):
        if not _is_debian(uri):
            continue
        if main is None and _MAIN_SUITE.fullmatch(suite):
            main = uri.rstrip("/")
        if security is None and _SECURITY_SUITE.fullmatch(suite):
            security = uri.rstrip("/")
    return Apt(main or MAIN, security or (SECURITY if main in (None, MAIN) else _sibling(main or MAIN)), _settings())


def authorities() -> bytes:
    """The certificate authorities that this host trusts, b"" if it has no list of them."""
    names = (os.environ.get("SSL_CERT_FILE", ""), ssl.get_default_verify_paths().cafile or "", *_BUNDLES)
    for name in names:
        if name and Path(name).is_file():
            return Path(name).read_bytes()
    return b""


def require_keyring() -> None:
    if not KEYRING.exists():
        raise HostError(
            f"no {KEYRING}: Debian's packages can't be verified",
            reason="no-debian-keyring",
            hint="install debian-archive-keyring, or make the image's registry reachable",
        )


def _sibling(main: str) -> str:
    """A mirror that has Debian mostly has its security updates beside it."""
    return f"{main.removesuffix('/debian')}/debian-security"


def _is_debian(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme in ("http", "https") and "debian" in f"{parts.hostname}{parts.path}"


def _host_sources(etc: Path) -> Iterator[tuple[str, str]]:
    """(address, suite) of each binary source with the component main."""
    files = [etc / "sources.list"]
    if (etc / "sources.list.d").is_dir():
        files += sorted((etc / "sources.list.d").iterdir())
    for file in files:
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError):
            continue
        if file.suffix == ".list":
            for line in text.splitlines():
                match = _LINE.match(line.strip())
                if match and "main" in match[3].split("#")[0].split():
                    yield match[1], match[2]
        elif file.suffix == ".sources":
            yield from _deb822(text)


def _deb822(text: str) -> Iterator[tuple[str, str]]:
    for block in re.split(r"\n\s*\n", text):
        fields = {
            name.strip().lower(): value.split()
            for line in block.splitlines()
            if not line.startswith("#")
            for name, colon, value in [line.partition(":")]
            if colon
        }
        if (
            "deb" in fields.get("types", [])
            and "main" in fields.get("components", [])
            and fields.get("enabled") != ["no"]
        ):
            for uri in fields.get("uris", []):
                for suite in fields.get("suites", []):
                    yield uri, suite


def _settings() -> tuple[str, ...]:
    try:
        dump = subprocess.run(("apt-config", "dump"), capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line for line in dump.splitlines() if _SETTING.fullmatch(line))
