"""What judges our SBOMs: the public validators, and what a running image says is in it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

WANTED = Path(__file__).parent / "sbom-validators.txt"

_STRICT = (
    "import sys; from cyclonedx.validation.json import JsonStrictValidator; from cyclonedx.schema import SchemaVersion\n"
    "wrong = JsonStrictValidator(SchemaVersion.from_version(sys.argv[1])).validate_str(sys.stdin.read())\n"
    "sys.exit(wrong and str(wrong))"
)
_PYTHON = "import importlib.metadata as m; [print(d.name, d.version) for d in m.distributions()]"

ASKED = {
    "deb": ("dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n"),
    "pypi": ("python3", "-c", _PYTHON),
}
"""What is run in an image, by the kind of package: a line has a name and a version."""


def installed(folder: Path) -> Path:
    """The validators, installed once below a folder; answers where their programs are."""
    found = folder / f"validators-{hashlib.sha256(WANTED.read_bytes()).hexdigest()[:12]}"
    if not (found / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(found)], check=True)
        pip = [found / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(WANTED)]
        subprocess.run(pip, check=True)
        (found / "complete").touch()
    return found / "bin"


def must_be_valid(validators: Path, spdx: Path, cyclonedx: Path) -> None:
    """spdx-tools, ntia-conformance-checker and CycloneDX's strict validator accept an image's lists."""
    text = cyclonedx.read_text()
    for command, given in (
        (["pyspdxtools", "-i", str(spdx)], ""),
        (["ntia-checker", "--file", str(spdx)], ""),
        (["python", "-c", _STRICT, json.loads(text)["specVersion"]], text),
    ):
        done = subprocess.run(
            [validators / command[0], *command[1:]], input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def named(spdx: Path, kind: str) -> set[tuple[str, str]]:
    """Name and version of every package of a kind (a package URL's type) that a list has."""
    return {
        (_normal(package["name"]), package["versionInfo"])
        for package in json.loads(spdx.read_text())["packages"]
        for ref in package.get("externalRefs", ())
        if ref["referenceLocator"].startswith(f"pkg:{kind}/")
    }


def said(lines: str) -> set[tuple[str, str]]:
    """The same of what a command of ASKED has printed."""
    return {(_normal(name), version) for name, version in (line.split(" ", 1) for line in lines.splitlines())}


def _normal(name: str) -> str:
    """As Python compares names of distributions; Debian's are so already."""
    return name.lower().replace("_", "-")
