"""Adds to Syft's lists what only the build knows (base images, sources, steps), and what NTIA's minimum asks for.

The same image gives the same bytes: identifiers are made of the image's digest, and the time is the commit's.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sealane import __version__

if TYPE_CHECKING:
    from sealane.attest.provenance import Material

_TOOL = f"Tool: sealane-{__version__}"
_NONE = "NOASSERTION"
# Who hands a package out, by the type in its package URL: its supplier, where the package itself names nobody.
_SUPPLIERS = {
    "deb": "Organization: Debian",
    "pypi": "Organization: Python Package Index",
    "npm": "Organization: npm",
    "apk": "Organization: Alpine Linux",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one platform's image: what it is called, its digest, its commit with the time (0: not known), what went in."""

    name: str
    digest: str
    platform: str
    commit: str
    committed: int
    materials: tuple[Material, ...]
    steps: tuple[str, ...]

    @property
    def time(self) -> str:
        """The commit's; empty when it isn't known."""
        if not self.committed:
            return ""
        return datetime.fromtimestamp(self.committed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def purl(self) -> str:
        name = self.name.rpartition("/")[2].lower()
        architecture = quote(self.platform.partition("/")[2], safe="")
        return f"pkg:oci/{name}@{quote(self.digest, safe='')}?arch={architecture}"

    @property
    def identity(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}@{self.digest}")


def text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def spdx(document: dict[str, Any], facts: Facts) -> dict[str, Any]:
    found = {**document, "name": facts.name, "documentNamespace": f"urn:uuid:{facts.identity}"}
    creators = [each for each in document["creationInfo"]["creators"] if not each.endswith(": ")]
    found["creationInfo"] = {**document["creationInfo"], "creators": [*creators, _TOOL]}
    found["creationInfo"] |= {"created": facts.time} if facts.time else {}
    root = _root(document)
    packages = [
        _supplied(each, facts) if each["SPDXID"] != root else _image(each, facts) for each in document["packages"]
    ]
    relations = list(document.get("relationships", []))
    for number, material in enumerate(facts.materials):
        ident = f"SPDXRef-Material-{number}"
        packages.append(_material(material, ident))
        # A base image contains nothing for us: what is in it is listed already, as the image's own.
        relations.append({"spdxElementId": root, "relatedSpdxElement": ident, "relationshipType": "GENERATED_FROM"})
    return {**found, "packages": packages, "relationships": relations}


def _root(document: dict[str, Any]) -> str:
    """The package that stands for the image."""
    for each in document.get("relationships", []):
        if each["relationshipType"] == "DESCRIBES" and each["spdxElementId"] == "SPDXRef-DOCUMENT":
            return str(each["relatedSpdxElement"])
    raise ValueError("it describes nothing")


def _image(package: dict[str, Any], facts: Facts) -> dict[str, Any]:
    checksum = {"algorithm": "SHA256", "checksumValue": facts.digest.removeprefix("sha256:")}
    steps = "\n".join(facts.steps)
    return {
        **package,
        "name": facts.name,
        "versionInfo": facts.digest,
        "supplier": f"Organization: {facts.name.partition('/')[0]}",
        "checksums": [checksum],
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": facts.purl}
        ],
        "sourceInfo": f"built from commit {facts.commit or 'unknown'} for {facts.platform} by these steps:\n{steps}",
    }


def _supplied(package: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """With a supplier and a version, which NTIA's minimum asks of every package."""
    found = {**package}
    if found.get("supplier", _NONE) == _NONE:
        originator = found.get("originator", _NONE)
        found["supplier"] = (
            originator if originator != _NONE else _SUPPLIERS.get(_kind(package), f"Organization: {facts.name}")
        )
    if not found.get("versionInfo"):
        found["versionInfo"] = "unknown"
    return found


def _kind(package: dict[str, Any]) -> str:
    for each in package.get("externalRefs", []):
        if each.get("referenceType") == "purl":
            return str(each["referenceLocator"]).removeprefix("pkg:").partition("/")[0]
    return ""


def _material(material: Material, ident: str) -> dict[str, Any]:
    algorithm, value = next(iter(material.digest.items()))
    found = {
        "SPDXID": ident,
        "name": material.name or material.uri,
        "versionInfo": f"{algorithm}:{value}",
        "supplier": "Organization: " + (material.uri.partition("://")[2].partition("/")[0] or "this project"),
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "licenseConcluded": _NONE,
        "licenseDeclared": _NONE,
        "copyrightText": _NONE,
        "comment": f"went into the image: {material.uri}",
    }
    if algorithm == "sha256":
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": value}]
    return found


def cyclonedx(document: dict[str, Any], facts: Facts) -> dict[str, Any]:
    metadata = {**document.get("metadata", {})}
    metadata |= {"timestamp": facts.time} if facts.time else {}
    component = {
        **metadata.get("component", {}),
        "type": "container",
        "name": facts.name,
        "version": facts.digest,
        "purl": facts.purl,
        "hashes": [{"alg": "SHA-256", "content": facts.digest.removeprefix("sha256:")}],
    }
    properties = [{"name": "sealane:platform", "value": facts.platform}]
    properties += [{"name": "sealane:commit", "value": facts.commit}] if facts.commit else []
    properties += [{"name": "sealane:step", "value": step} for step in facts.steps]
    for material in facts.materials:
        digests = " ".join(f"{algorithm}:{value}" for algorithm, value in material.digest.items())
        properties.append({"name": "sealane:material", "value": f"{material.uri} {digests}"})
    metadata |= {"component": component, "properties": [*metadata.get("properties", []), *properties]}
    return {**document, "serialNumber": f"urn:uuid:{facts.identity}", "metadata": metadata}
