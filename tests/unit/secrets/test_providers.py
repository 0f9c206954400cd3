"""Secrets by URI. Vault's API and the vendors' tools are recorded fakes: their answers have the documented shapes, and
none of them was asked here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sealane_engine.errors import EngineError
from sealane_engine.secrets.secret import Secrets

Tool = Callable[[str, str], Path]


def plaintext(uri: str) -> bytes:
    secrets = Secrets(bytes(32))
    return secrets.reveal(asyncio.run(secrets.from_uri(uri)))


def reason(uri: str) -> str:
    with pytest.raises(EngineError) as caught:
        plaintext(uri)
    assert caught.value.hint
    return caught.value.reason


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Puts a vendor's tool on the path that prints what was recorded; its arguments are in the file that it answers."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("AWS_REGION", "GCP_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)

    def put(name: str, recorded: str) -> Path:
        (tmp_path / f"{name}.out").write_text(recorded)
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/{name}.args\ncat {tmp_path}/{name}.out\n')
        script.chmod(0o755)
        return tmp_path / f"{name}.args"

    return put


# ---- what is of this machine


def test_a_variable_a_file_and_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOKEN_FOR_TEST", "from env")
    (tmp_path / "t?x").write_bytes(b"from file\n")
    assert plaintext("env://TOKEN_FOR_TEST") == b"from env"
    assert plaintext(f"file://{tmp_path}/t?x") == b"from file\n"
    assert plaintext("cmd://printf '%s' \"a?b\"") == b"a?b"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("env://NOT_SET_FOR_TEST", "secret-not-found"),
        ("file:///no/such/file", "secret-not-found"),
        ("cmd://exit 3", "secret-not-found"),
        ("ftp://x", "secret-provider"),
        ("hunter2", "bad-secret-uri"),
    ],
)
def test_what_is_not_there_is_said(uri: str, expected: str):
    assert reason(uri) == expected


def test_a_file_may_be_larger_than_a_text_that_is_given(tmp_path: Path):
    file = tmp_path / "large"
    file.write_bytes(bytes(512_000))
    assert len(plaintext(f"file://{file}")) == 512_000
    file.write_bytes(bytes(512_001))
    assert reason(f"file://{file}") == "secret-too-large"


def test_a_variable_s_name_is_cut_for_it_may_be_the_secret():
    with pytest.raises(EngineError) as caught:
        plaintext("env://hunter2-hunter2")
    assert "hunter2" not in str(caught.value)


# ---- vendors' tools


def test_1password_is_read_without_a_newline(tool: Tool):
    args = tool("op", "s3cret")
    assert plaintext("op://vault/item/field?ttl=5m") == b"s3cret"
    assert args.read_text().split() == ["read", "-n", "op://vault/item/field"]


def test_a_secret_of_aws_and_a_field_of_it(tool: Tool):
    value = json.dumps({"user": "me", "port": 5432, "none": None})
    args = tool("aws", json.dumps({"Name": "prod/db", "SecretString": value}))
    assert plaintext("aws+sm://prod/db?region=eu-west-1") == value.encode()
    assert args.read_text().split() == [
        *("secretsmanager", "get-secret-value", "--secret-id", "prod/db", "--version-stage", "AWSCURRENT"),
        *("--region", "eu-west-1", "--output", "json"),
    ]
    assert plaintext("aws+sm://prod/db?region=r&field=user") == b"me"
    assert plaintext("aws+sm://prod/db?region=r&field=port") == b"5432"
    assert plaintext("aws+sm://prod/db?region=r&field=none") == b""
    assert reason("aws+sm://prod/db?region=r&field=other") == "secret-not-found"
    assert reason("aws+sm://prod/db?region=r&version=1&stage=s") == "bad-secret-uri"
    assert reason("aws+sm://prod/db") == "secret-region"


def test_a_binary_secret_of_aws(tool: Tool):
    tool("aws", json.dumps({"SecretBinary": base64.b64encode(b"\0\1").decode()}))
    assert plaintext("aws+sm://b?region=r") == b"\0\1"


def test_a_parameter_of_aws_is_decrypted(tool: Tool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    args = tool("aws", json.dumps({"Parameter": {"Name": "/prod/key", "Value": "v"}}))
    assert plaintext("aws+ps://prod/key") == b"v"
    assert args.read_text().split()[:5] == ["ssm", "get-parameter", "--name", "/prod/key", "--with-decryption"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("my-secret", ("latest", "my-secret", "env-project")),
        ("my-secret/versions/1", ("1", "my-secret", "env-project")),
        ("projects/p/secrets/my-secret", ("latest", "my-secret", "p")),
        ("projects/p/secrets/my-secret/versions/2", ("2", "my-secret", "p")),
    ],
)
def test_a_secret_of_google(tool: Tool, monkeypatch: pytest.MonkeyPatch, path: str, expected: tuple[str, str, str]):
    monkeypatch.setenv("GCP_PROJECT_ID", "env-project")
    data = base64.urlsafe_b64encode(b"\xff\xfe data").decode()
    args = tool("gcloud", json.dumps({"name": path, "payload": {"data": data}}))
    assert plaintext(f"gcp://{path}") == b"\xff\xfe data"
    version, name, project = expected
    assert args.read_text().split()[:6] == [
        *("secrets", "versions", "access", version),
        *(f"--secret={name}", f"--project={project}"),
    ]


def test_google_s_names_must_name_a_secret(tool: Tool):
    tool("gcloud", "{}")
    assert reason("gcp://my-secret") == "secret-project"
    assert reason("gcp://projects/p/invalid/x") == "bad-secret-uri"
    assert reason("gcp://projects/p/secrets/x") == "secret-not-found"


KEYRING = """\
[/org/freedesktop/secrets/collection/login/7]
label = my token
secret = line 1
line 2
created = 2024-01-01 00:00:00
modified = 2024-01-01 00:00:00
schema = org.example
attribute.service = s
[/org/freedesktop/secrets/collection/other/8]
label = my token
secret = another
created = 2024-01-01 00:00:00
modified = 2024-01-01 00:00:00
"""


def test_an_item_of_the_keyring_is_chosen_by_collection_and_label_or_number(tool: Tool):
    args = tool("secret-tool", KEYRING)
    assert plaintext("libsecret://login/my%20token?service=s") == b"line 1\nline 2"
    assert args.read_text().split() == ["search", "--all", "--unlock", "service", "s"]
    assert plaintext("libsecret://other/8?service=s") == b"another"
    assert reason("libsecret://none/8?service=s") == "secret-not-found"
    assert reason("libsecret://login/7") == "bad-secret-uri"


def test_a_tool_that_is_missing_or_fails_is_named(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tool("op", "")
    (tmp_path / "op").write_text("#!/bin/sh\necho 'not signed in' >&2; exit 1\n")
    with pytest.raises(EngineError, match="not signed in"):
        plaintext("op://a/b/c")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert reason("op://a/b/c") == "secret-tool-missing"


# ---- Vault


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, str]]]]:
    """A server that answers as Vault's API does; what it was asked, and with which headers."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if self.headers["X-Vault-Token"] != "root":
                self._answer(403, {"errors": ["permission denied"]})
            elif self.path == "/v1/secret/data/team/db":
                self._answer(200, {"data": {"data": {"password": "pw", "port": 1}, "metadata": {"version": 3}}})
            else:
                self._answer(404, {"errors": []})

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, sent))
            self._answer(200, {"auth": {"client_token": "root"}})

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for name in ("VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_PATH_PREFIX", "VAULT_APPROLE_ROLE_ID", "VAULT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("VAULT_ADDR", f"http://127.0.0.1:{server.server_address[1]}")
    yield asked
    server.shutdown()
    server.server_close()
    thread.join(10)


Asked = list[tuple[str, dict[str, str]]]


def test_a_field_of_vault_s_store(vault: Asked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAULT_TOKEN", "root")
    monkeypatch.setenv("VAULT_NAMESPACE", "team")
    assert plaintext("vault://team/db.password?ttl=1m") == b"pw"
    assert vault[0][1]["x-vault-namespace"] == "team"
    assert reason("vault://team/db.port") == "secret-not-text"
    assert reason("vault://team/db.nope") == "secret-not-found"
    assert reason("vault://team/nope.password") == "secret-not-found"
    assert reason("vault://team/db") == "bad-secret-uri"


def test_a_role_logs_in_to_vault(vault: Asked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VAULT_APPROLE_ROLE_ID", "role")
    monkeypatch.setenv("VAULT_APPROLE_SECRET_ID", "id")
    assert plaintext("vault://team/db.password") == b"pw"
    assert vault[0] == ("/v1/auth/approle/login", {"role_id": "role", "secret_id": "id"})


def test_vault_s_refusal_is_told(vault: Asked, monkeypatch: pytest.MonkeyPatch):
    assert reason("vault://team/db.password") == "vault-login"
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    with pytest.raises(EngineError, match="permission denied"):
        plaintext("vault://team/db.password")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    assert reason("vault://team/db.password") == "vault-unreachable"
