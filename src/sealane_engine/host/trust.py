"""What this host trusts and how it reaches registries, as files for steps.

Certificates that only this host has (a company's, a TLS proxy's) are added to what an image trusts; nothing that an
image trusts is taken away, and settings that an image has of its own are left to it. On a host with nothing of its
own there is nothing to add, except for images without any certificates. No environment variables: steps see those.

Which file is read by whom, as tried:

bundle                                        curl, wget, git, apt, Go; Python through /usr/lib/ssl/cert.pem
/usr/local/share/ca-certificates, anchors     the next `update-ca-certificates` or `update-ca-trust` in the step
/etc/pip.conf, /etc/uv/uv.toml, npmrc         tools that bring certificates of their own
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.host.mirrors import Mirrors, find_mirrors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sealane_engine.store.view import TreeView

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_OTHER_BUNDLES = (
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_STOCK = "usr/share/ca-certificates/mozilla"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class TrustFile:
    """A file for steps. With `link` it is a symbolic link to there, and `data` is empty.

    `only_if_missing`: left out if the image has something there. `needs`: left out unless the image has one of these.
    """

    data: bytes = field(default=b"", repr=False)
    mode: int = 0o644
    link: str = ""
    only_if_missing: bool = True
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM certificates by the digest of their DER form, in order."""

    pems: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Certificates:
        """What isn't a certificate is passed over."""
        pems: dict[str, bytes] = {}
        for match in _PEM.finditer(data):
            try:
                der = base64.b64decode(match[1])
            except binascii.Error:
                continue
            pems.setdefault(hashlib.sha256(der).hexdigest(), match[0] + b"\n")
        return cls(pems)

    def without(self, other: Iterable[str]) -> Certificates:
        leave = frozenset(other)
        return Certificates({digest: pem for digest, pem in self.pems.items() if digest not in leave})

    def __or__(self, other: Certificates) -> Certificates:
        return Certificates({**self.pems, **other.without(self.pems).pems})

    def to_bytes(self) -> bytes:
        return b"".join(self.pems.values())


class Trust:
    """Reads the host when it is first asked, so making one costs nothing. Methods may be called from any thread."""

    def __init__(self, root: Path, home: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._home = home
        self._environ = environ
        self._bundles: dict[str, Certificates] = {}

    @cached_property
    def mirrors(self) -> Mirrors:
        return find_mirrors(self._root, self._home, self._environ)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be masked in everything that steps write."""
        return self.mirrors.secrets

    @cached_property
    def certificates(self) -> Certificates:
        """All that the host trusts: SSL_CERT_FILE and the system's bundle."""
        found = Certificates({})
        if own := self._environ.get("SSL_CERT_FILE"):
            found |= _read(Path(own))
        for bundle in (BUNDLE, *_OTHER_BUNDLES):
            system = _read(self._root / bundle.lstrip("/"))
            if system.pems:
                return system | found
        return found

    @cached_property
    def own(self) -> Certificates:
        """What of it is the host's own: neither in Debian's ca-certificates package nor in certifi's list."""
        stock: set[str] = set()
        for file in sorted((self._root / _STOCK).glob("*.crt")):
            stock.update(_read(file).pems)
        try:
            import certifi
        except ImportError:
            pass
        else:
            stock.update(_read(Path(certifi.where())).pems)
        return self.certificates.without(stock)

    @cached_property
    def files(self) -> Mapping[str, TrustFile]:
        """Everything but the bundle, whatever the image."""
        files: dict[str, TrustFile] = {}
        if self.certificates.pems:
            files["/usr/lib/ssl/cert.pem"] = TrustFile(link=BUNDLE, needs=("/etc/debian_version",))
        for digest, pem in self.own.pems.items():
            name = f"host-{digest[:12]}.crt"
            files[f"/usr/local/share/ca-certificates/{name}"] = TrustFile(
                pem, needs=("/etc/debian_version", "/etc/alpine-release")
            )
            files[f"/etc/pki/ca-trust/source/anchors/{name}"] = TrustFile(
                pem, needs=("/etc/pki/ca-trust/source/anchors",)
            )
        texts = {
            "/etc/pip.conf": self._pip_conf(),
            "/etc/uv/uv.toml": self._uv_toml(),
            "/etc/npmrc": self._npmrc(),
            "/usr/local/etc/npmrc": self._npmrc(),
            "/etc/apt/apt.conf.d/90host": "".join(line + "\n" for line in self._apt_conf()),
        }
        needs = {"/etc/apt/apt.conf.d/90host": ("/etc/apt/apt.conf.d",)}
        for path, text in texts.items():
            if text:
                files[path] = TrustFile(text.encode(), needs=needs.get(path, ()))
        return files

    def files_for(self, view: TreeView) -> dict[str, TrustFile]:
        """What to lay over an image. Paths are resolved in the image, so that no link of it is replaced."""
        found = self._bundles_for(view)
        for path, file in self.files.items():
            if file.needs and not any(view.stat(name) is not None for name in file.needs):
                continue
            real = view.resolve(path)
            if file.only_if_missing and (view.lstat(path) is not None or view.lstat(real) is not None):
                continue
            found[real] = file
        return found

    def _bundles_for(self, view: TreeView) -> dict[str, TrustFile]:
        """The image's bundles with the host's own certificates added; the host's whole bundle if it has none."""
        found: dict[str, TrustFile] = {}
        any_bundle = False
        for path in (BUNDLE, *_OTHER_BUNDLES):
            real = view.resolve(path)
            entry = view.lstat(real)
            if entry is None or entry.kind != "file":
                continue
            any_bundle = True
            has = self._image_bundle(view, real, f"{entry.real}:{entry.size}:{entry.mtime_ns}")
            more = self.own.without(has.pems)
            if more.pems:
                found[real] = TrustFile((has | more).to_bytes(), only_if_missing=False)
        if not any_bundle and self.certificates.pems:
            found[view.resolve(BUNDLE)] = TrustFile(self.certificates.to_bytes(), only_if_missing=False)
        return found

    def _image_bundle(self, view: TreeView, path: str, key: str) -> Certificates:
        has = self._bundles.get(key)
        if has is None:
            with view.open(path) as file:
                has = self._bundles[key] = Certificates.parse(file.read())
        return has

    def _pip_conf(self) -> str:
        lines = [f"cert = {BUNDLE}"] if self.own.pems else []
        lines += [f"{key} = {' '.join(values)}" for key, values in sorted(self.mirrors.pip.items())]
        if proxy := self.mirrors.https_proxy or self.mirrors.http_proxy:
            lines.append(f"proxy = {proxy}")
        return "".join(line + "\n" for line in ("[global]", *lines)) if lines else ""

    def _uv_toml(self) -> str:
        lines = ["native-tls = true"] if self.own.pems else []
        pip = self.mirrors.pip
        for key, default in (("index-url", True), ("extra-index-url", False)):
            for url in pip.get(key, ()):
                lines += ["[[index]]", f"url = {json.dumps(url)}", f"default = {str(default).lower()}"]
        return "".join(line + "\n" for line in lines)

    def _npmrc(self) -> str:
        lines = [f"cafile={BUNDLE}"] if self.own.pems else []
        lines += [f"{key}={value}" for key, value in sorted(self.mirrors.npm.items())]
        if proxy := self.mirrors.https_proxy:
            lines.append(f"https-proxy={proxy}")
        if proxy := self.mirrors.http_proxy:
            lines.append(f"proxy={proxy}")
        if lines and self.mirrors.no_proxy:
            lines.append(f"noproxy={self.mirrors.no_proxy}")
        return "".join(line + "\n" for line in lines)

    def _apt_conf(self) -> list[str]:
        lines = list(self.mirrors.apt)
        for scheme, proxy in (("http", self.mirrors.http_proxy), ("https", self.mirrors.https_proxy)):
            if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
                lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
        return lines


def find_trust(root: Path = Path("/"), home: Path | None = None, environ: Mapping[str, str] = os.environ) -> Trust:
    """The host's trust; another host's, in tests."""
    return Trust(root, home or Path(environ.get("HOME", "/root")), environ)


def _read(path: Path) -> Certificates:
    try:
        return Certificates.parse(path.read_bytes())
    except OSError:
        return Certificates({})
