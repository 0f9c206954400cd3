"""A key that a KMS keeps: cosign, called as `publish` calls it, before a stand-in for Vault's transit engine."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sealane.attest import keys, sign

pytestmark = [pytest.mark.needs("cosign"), pytest.mark.timeout(120)]
TOKEN = "s.test"


def openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


@contextmanager
def transit(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Two calls of Vault's transit API, by its documentation: read a key, sign a hash. Its address, and what was asked."""
    private = folder / "key.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(private))
    public = openssl("pkey", "-in", str(private), "-pubout").decode()
    (folder / "key.pub").write_text(public)
    asked: list[str] = []

    class Vault(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size) or b"{}")
            if self.headers.get("X-Vault-Token") != TOKEN:
                return self.say(403, {"errors": ["permission denied"]})
            if self.path == "/v1/transit/keys/release":
                found = {"latest_version": 1, "type": "ecdsa-p256", "keys": {"1": {"public_key": public}}}
                return self.say(200, {"data": found})
            if self.path.startswith("/v1/transit/sign/release"):
                assert body["prehashed"] is True
                hashed = base64.b64decode(body["input"])
                made = openssl("pkeyutl", "-sign", "-inkey", str(private), given=hashed)
                return self.say(200, {"data": {"signature": f"vault:v1:{base64.b64encode(made).decode()}"}})
            return self.say(404, {"errors": []})

        do_GET = do_PUT = do_POST = answer  # noqa: N815 - as http.server calls them

        def say(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Vault)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def signed(folder: Path, address: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    (folder / "blob").write_bytes(b"what is signed")
    command = sign.kms_command("hashivault://release", str(folder / "blob"), str(folder / "signature"))
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "VAULT_ADDR": address, "VAULT_TOKEN": token}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_the_signature_of_a_key_that_vault_keeps_is_one_that_we_verify(tmp_path: Path):
    with transit(tmp_path) as (address, asked):
        done = signed(tmp_path, address)
    assert done.returncode == 0, done.stderr
    assert any(each.startswith("PUT /v1/transit/sign/release") for each in asked)
    made = base64.b64decode((tmp_path / "signature").read_text())
    key = keys.read((tmp_path / "key.pub").read_text(), "key.pub")
    assert key.verifies(b"what is signed", made)
    assert not key.verifies(b"anything else", made)


def test_a_vault_that_says_no_signs_nothing(tmp_path: Path):
    with transit(tmp_path) as (address, _):
        done = signed(tmp_path, address, token="s.other")
    assert done.returncode != 0
    assert "permission denied" in done.stderr
    assert not (tmp_path / "signature").exists()
