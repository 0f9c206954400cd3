"""A project, a registry and a key: where a test publishes an image and looks at what came of it."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..contract.registry import LocalRegistry  # noqa: TID252 - tests are no package

ROOT = Path(__file__).parent.parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONTEXT = {
    "vendor": "local", "event": "push", "branch": "feature/x", "default_branch": "main", "commit": COMMIT,
    "committed": 1790000000, "repository": "Owner/Parts",
}  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """Commands are run in the project."""

    project: Path
    registry: LocalRegistry
    environ: dict[str, str]

    @classmethod
    def made(cls, project: Path, registry: LocalRegistry, environ: dict[str, str]) -> Self:
        """With a key of its own: cosign.key and cosign.pub in the project."""
        key = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(project / "cosign.key")]
        subprocess.run(key, check=True, capture_output=True)
        public = ["openssl", "pkey", "-in", str(project / "cosign.key"), "-pubout", "-out", str(project / "cosign.pub")]
        subprocess.run(public, check=True, capture_output=True)
        return cls(project, registry, environ)

    def sealane(self, *words: str, allow: str = "catalog:*") -> subprocess.CompletedProcess[str]:
        environ = {**self.environ, "SEALANE_ALLOW": allow}
        return subprocess.run(
            ["sealane", *words],
            cwd=self.project,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def call(self, *words: str, allow: str = "catalog:*") -> subprocess.CompletedProcess[str]:
        return self.sealane(
            "call", "-m", str(ROOT), "--source", ".", "--context", json.dumps(CONTEXT), *words, allow=allow
        )

    def publish(self, repository: str, *words: str, allow: str = "catalog:*") -> subprocess.CompletedProcess[str]:
        address = [
            "--address",
            f"{self.registry.host}/{repository}",
            "--registry-service",
            f"tcp://{self.registry.host}",
        ]
        return self.call("build", "publish", *address, "--key", f"file:{self.project}/cosign.key", *words, allow=allow)

    def tags(self, repository: str) -> set[str]:
        """Those for people: not the ones that hold what is attached."""
        try:
            with urllib.request.urlopen(f"http://{self.registry.host}/v2/{repository}/tags/list") as answer:
                return {tag for tag in json.load(answer)["tags"] or () if not tag.startswith("sha256-")}
        except urllib.error.HTTPError:
            return set()
