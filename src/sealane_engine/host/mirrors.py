"""How this host reaches package registries: pip's, npm's and apt's settings and proxies, to be given to steps.

Read from the host's configuration files and the engine's environment, with each tool's own precedence. A credential
in a setting is kept out of every repr and listed in `secrets`, so that it can be masked wherever output is shown.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PIP_FILES = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
_PIP_USER_FILES = (".pip/pip.conf", ".config/pip/pip.conf")
_PIP_KEYS = ("index-url", "extra-index-url", "find-links", "trusted-host")
_NPM_FILES = ("/usr/etc/npmrc", "/usr/local/etc/npmrc", "/etc/npmrc")
_NPM_CREDENTIAL = re.compile(r"(//[^:]+(?::\d+)?/.*):(_authToken|_auth|_password|username|email)")
_NPM_SECRET = ("_authToken", "_auth", "_password")


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Settings that differ from what the tools do by themselves. Addresses may hold credentials: no field is shown."""

    pip: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    npm: Mapping[str, str] = field(default_factory=dict, repr=False)
    apt: tuple[str, ...] = field(default=(), repr=False)
    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every credential, as it is written and decoded."""
        addresses = [value for values in self.pip.values() for value in values]
        addresses += [value for key, value in self.npm.items() if not _NPM_CREDENTIAL.fullmatch(key)]
        addresses += [match for line in self.apt for match in re.findall(r'"([^"]*)"', line)]
        addresses += [self.http_proxy, self.https_proxy]
        found = {secret for address in addresses for secret in credentials(address)}
        found |= {value for key, value in self.npm.items() if key.rpartition(":")[2] in _NPM_SECRET}
        return tuple(sorted(found))


def credentials(address: str) -> set[str]:
    """The password of a URL, or the user name when it stands alone, as a token does."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return set()
    secret = parts.password or parts.username or ""
    return {secret, unquote(secret)} - {""}


def find_mirrors(root: Path, home: Path, environ: Mapping[str, str]) -> Mirrors:
    """Read the host's settings; `root` and `home` are other places in tests. A file that can't be read has none."""
    http = environ.get("http_proxy") or environ.get("HTTP_PROXY") or ""
    https = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    return Mirrors(
        pip=_pip(root, home, environ),
        npm=_npm(root, home, environ),
        apt=_apt(),
        http_proxy="" if _on_loopback(http) else http,
        https_proxy="" if _on_loopback(https) else https,
        no_proxy=environ.get("no_proxy") or environ.get("NO_PROXY") or "",
    )


def _on_loopback(address: str) -> bool:
    """A step can't reach it there."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _under(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _texts(files: Iterable[Path]) -> Iterable[str]:
    for file in files:
        try:
            yield file.read_text()
        except (OSError, UnicodeDecodeError):
            continue


def _pip(root: Path, home: Path, environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    files = [_under(root, name) for name in _PIP_FILES] + [home / name for name in _PIP_USER_FILES]
    if own := environ.get("PIP_CONFIG_FILE"):
        files.append(Path(own))
    found: dict[str, tuple[str, ...]] = {}
    for text in _texts(files):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {
                    key: tuple(value.split())
                    for key, value in parser.items(section)
                    if key in _PIP_KEYS and value is not None
                }
    for key in _PIP_KEYS:
        value = environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            found[key] = tuple(value.split())
    # A directory of the host is nothing to a step.
    links = tuple(link for link in found.get("find-links", ()) if link.startswith(("http://", "https://")))
    found["find-links"] = links
    return {key: values for key, values in found.items() if values}


def _npm(root: Path, home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    user = environ.get("npm_config_userconfig") or environ.get("NPM_CONFIG_USERCONFIG")
    files = [_under(root, name) for name in _NPM_FILES] + [Path(user) if user else home / ".npmrc"]
    settings: dict[str, str] = {}
    for text in _texts(files):
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith((";", "#")):
                settings[key.strip()] = _expand(value.strip().strip('"'), environ)
    if registry := environ.get("npm_config_registry") or environ.get("NPM_CONFIG_REGISTRY"):
        settings["registry"] = registry
    found = {
        key: value for key, value in settings.items() if key == "registry" or re.fullmatch(r"@[^:]+:registry", key)
    }
    hosts = {urlsplit(value).netloc.rpartition("@")[2] for value in found.values()}
    for key, value in settings.items():
        # Credentials go along for those registries only.
        match = _NPM_CREDENTIAL.fullmatch(key)
        if match and urlsplit(match[1]).netloc in hosts:
            found[key] = value
    return found


def _expand(value: str, environ: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: environ.get(match[1], ""), value)


def _apt() -> tuple[str, ...]:
    from sealane_engine.images.catalog import apt

    return apt.of_host().settings
