"""Signs files with a private key; prints the public key's id and a signature for each as JSON. Runs inside a container.

    python sign.py KEY FOLDER    (the key's password, when it has one, in KEY_PASSWORD)

The key is PEM (EC, RSA; PKCS#8 may have a password), or what `cosign generate-key-pair` writes.
"""

import base64
import hashlib
import json
import os
import re
import sys
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

COSIGN = re.compile(
    rb"-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----(.+)-----END ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----",
    re.DOTALL,
)


def read_key(data: bytes, password: bytes) -> PrivateKeyTypes:
    if found := COSIGN.search(data):
        # cosign keeps PKCS#8 in a secretbox, its key from the password by scrypt.
        wrapped = json.loads(base64.b64decode(b"".join(found[1].split())))
        how = wrapped["kdf"]["params"]
        made = hashlib.scrypt(
            password,
            salt=base64.b64decode(wrapped["kdf"]["salt"]),
            n=how["N"],
            r=how["r"],
            p=how["p"],
            maxmem=256 * how["N"] * how["r"] + (32 << 20),
            dklen=32,
        )
        sealed, nonce = base64.b64decode(wrapped["ciphertext"]), base64.b64decode(wrapped["cipher"]["nonce"])
        return serialization.load_der_private_key(SecretBox(made).decrypt(sealed, nonce), None)
    return serialization.load_pem_private_key(data, password or None)


def sign(key: PrivateKeyTypes, data: bytes) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        made = key.sign(data, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        made = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    else:
        sys.exit(f"a key of this kind can't sign here ({type(key).__name__}): use ECDSA or RSA")
    return base64.b64encode(made).decode()


def main(key_file: str, folder: str) -> None:
    try:
        key = read_key(Path(key_file).read_bytes(), os.environ.get("KEY_PASSWORD", "").encode())
    except (ValueError, TypeError, KeyError, CryptoError, UnsupportedAlgorithm) as error:
        sys.exit(f"the signing key can't be read: is its password right? ({error})")
    der, shape = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    signatures = {file.name: sign(key, file.read_bytes()) for file in sorted(Path(folder).iterdir())}
    key_id = hashlib.sha256(key.public_key().public_bytes(der, shape)).hexdigest()
    sys.stdout.write(json.dumps({"key_id": key_id, "signatures": signatures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
