"""licences OUTPUT [NODE_MODULES]: writes which licence each installed package of Python (and of Node) says it has."""

import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

_TOOLS = frozenset({"pip", "setuptools", "wheel"})  # what the image brings along


def python() -> Iterator[dict[str, Any]]:
    """A row for each distribution: its licence expression, else its field, else its classifiers."""
    for one in metadata.distributions():
        told: Any = one.metadata  # an email.message.Message, whatever its type says
        name = told["Name"]
        if not name or name.lower() in _TOOLS:
            continue
        classifiers = [c for c in told.get_all("Classifier") or () if c.startswith("License ::")]
        field = (told.get("License") or "").strip()
        yield {
            "ecosystem": "PyPI",
            "name": name,
            "version": one.version,
            "expression": told.get("License-Expression") or "",
            "field": field.splitlines()[0][:200] if field else "",
            "classifiers": classifiers,
        }


def node(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each package of a node_modules folder, its own ones too."""
    for file in sorted(folder.glob("**/package.json")):
        above = file.parent.parent
        if (above.parent if above.name.startswith("@") else above).name != "node_modules":
            continue  # a folder inside a package
        told = json.loads(file.read_text())
        if not isinstance(told, dict) or not told.get("name") or not told.get("version"):
            continue
        said = told.get("license") or told.get("licenses") or ""
        if isinstance(said, list):
            said = " OR ".join(part.get("type", "") if isinstance(part, dict) else str(part) for part in said)
        if isinstance(said, dict):
            said = said.get("type", "")
        row = {"ecosystem": "npm", "name": told["name"], "version": told["version"], "expression": str(said)}
        yield {**row, "field": "", "classifiers": []}


def main(output: str, *folders: str) -> int:
    rows = list(python()) + [row for folder in folders for row in node(Path(folder))]
    unique = {(row["ecosystem"], row["name"].lower(), row["version"]): row for row in rows}
    Path(output).write_text(json.dumps([unique[key] for key in sorted(unique)], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
