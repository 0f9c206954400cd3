"""Checks a signature with a public key. The arithmetic is OpenSSL's: every machine that verifies has its command."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sealane.errors import ConfigError, HostLacks

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key (ECDSA or RSA, over SHA-256) and its id: the SHA-256 of what is in the PEM, in hex."""

    pem: str
    id: str

    def verifies(self, data: bytes, signature: bytes) -> bool:
        with tempfile.TemporaryDirectory(prefix="sealane-verify-") as folder:
            key, signed = Path(folder, "key.pem"), Path(folder, "signature")
            key.write_text(self.pem)
            signed.write_bytes(signature)
            command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signed)]
            try:
                return subprocess.run(command, input=data, capture_output=True, check=False).returncode == 0
            except FileNotFoundError:
                raise HostLacks(
                    "there is no `openssl` to check signatures with", reason="no-openssl", hint="Install openssl."
                ) from None


def read(pem: str, where: str) -> PublicKey:
    """Raises ConfigError (`bad-key`)."""
    found = _PEM.search(pem)
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
    except binascii.Error:
        der = b""
    if not found or not der:
        raise ConfigError(
            f"{where} holds no public key",
            reason="bad-key",
            hint="It begins with `-----BEGIN PUBLIC KEY-----`; `cosign public-key` and `openssl pkey -pubout` write it.",
        )
    return PublicKey(found[0] + "\n", hashlib.sha256(der).hexdigest())
