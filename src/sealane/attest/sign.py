"""Signs, in a step of its own that alone sees the key: with a key file, or by cosign with a key that a KMS keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagger
from dagger import dag

from sealane.attest.envelope import Signature
from sealane.errors import ConfigError, SealaneError
from sealane.stages import steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane.config.image import PublishConfig

_KEY = "/run/secrets/signing-key"
_WORK = "/sealane/to-sign"
_SIGNATURE = "/sealane/signature"


@dataclass(frozen=True, slots=True)
class Key:
    """What signs: a private key's text and its password, or a KMS reference with credentials (lines of NAME=value)."""

    file: dagger.Secret | None = None
    password: dagger.Secret | None = None
    kms: str = ""
    credentials: dagger.Secret | None = None

    def __bool__(self) -> bool:
        return self.file is not None or bool(self.kms)


async def sign(key: Key, config: PublishConfig, contents: Mapping[str, bytes]) -> dict[str, Signature]:
    """A signature of each of `contents`, by its name. Raises SealaneError (`cannot-sign`, `no-cosign`)."""
    if key.file is None and not config.cosign:
        raise ConfigError(
            f"{key.kms} needs cosign", reason="no-cosign", hint="Set `publish.cosign` to an image that has `cosign`."
        )
    to_sign = dag.directory()
    for name, data in contents.items():
        to_sign = to_sign.with_new_file(name, data.decode())
    try:
        if key.file is not None:
            return await _by_file(key.file, key.password, to_sign)
        return {name: await _by_kms(key, config, to_sign, name) for name in contents}
    except dagger.ExecError as error:
        said = steps.last_lines(error.stderr or error.stdout, 3)
        raise SealaneError(f"nothing was signed: {said}", reason="cannot-sign", hint="Nothing was published.") from None


async def _by_file(
    file: dagger.Secret, password: dagger.Secret | None, to_sign: dagger.Directory
) -> dict[str, Signature]:
    tools = steps.with_tools(steps.python(), "cryptography", "pynacl")
    signer = (await steps.installed(tools, "cryptography")).with_new_file("/sealane/sign.py", steps.script("sign.py"))
    signer = signer.with_mounted_secret(_KEY, file).with_mounted_directory(_WORK, to_sign)
    if password is not None:
        signer = signer.with_secret_variable("KEY_PASSWORD", password)
    found = json.loads(await signer.with_exec([f"{steps.TOOLS}/bin/python", "/sealane/sign.py", _KEY, _WORK]).stdout())
    return {name: Signature(made, found["key_id"]) for name, made in found["signatures"].items()}


async def _by_kms(key: Key, config: PublishConfig, to_sign: dagger.Directory, name: str) -> Signature:
    signer = dag.container().from_(config.cosign).with_mounted_directory(_WORK, to_sign)
    if key.credentials is not None:
        for line in (await key.credentials.plaintext()).splitlines():
            variable, found, value = line.partition("=")
            if found and not variable.startswith("#"):
                secret = dag.set_secret(f"sealane-kms-{variable}", value)
                signer = signer.with_secret_variable(variable.strip(), secret)
    done = signer.with_exec(list(kms_command(key.kms, f"{_WORK}/{name}", _SIGNATURE)))
    return Signature((await done.file(_SIGNATURE).contents()).strip())


def kms_command(key: str, blob: str, signature: str) -> tuple[str, ...]:
    """What makes a file with the signature (base64) of a file, with a key that a KMS keeps. Nothing is published."""
    return (
        "cosign", "sign-blob", "--key", key, "--yes", "--tlog-upload=false", "--use-signing-config=false",
        "--new-bundle-format=false", f"--output-signature={signature}", blob,
    )  # fmt: skip
