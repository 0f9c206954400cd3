"""Reads and writes coverage in its XML form (Cobertura's)."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sealane.errors import ReportUnreadable
from sealane.findings import xml

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = re.compile(r"<coverage\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_CONDITIONS = re.compile(r"\((\d+)/(\d+)\)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line with code: how often it ran, and how many of its branches were taken."""

    number: int
    hits: int
    taken: int = 0
    branches: int = 0


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """One file, named relative to the project."""

    file: str
    lines: tuple[Line, ...]

    @property
    def covered(self) -> int:
        return sum(line.hits > 0 for line in self.lines)

    @property
    def percent(self) -> float:
        """As `coverage report` counts: branches too."""
        return _percent(
            self.covered + sum(line.taken for line in self.lines),
            len(self.lines) + sum(line.branches for line in self.lines),
        )

    @property
    def missing(self) -> str:
        """The lines that never ran, as `3, 7-9`."""
        groups: list[list[int]] = []
        open_group = False
        for line in self.lines:
            if line.hits:
                open_group = False
            elif open_group:
                groups[-1].append(line.number)
            else:
                groups.append([line.number])
                open_group = True
        return ", ".join(f"{g[0]}-{g[-1]}" if len(g) > 1 else str(g[0]) for g in groups)


def percent(text: str) -> float:
    """How much is covered, in percent, as `coverage report` counts: branches too, when they were measured.

    Only the root element is read, since a large project's report is megabytes. Raises ReportUnreadable.
    """
    root = _ROOT.search(text[:100_000])
    if root is None:
        raise ReportUnreadable("coverage.xml has no <coverage> element", hint="Look at the log of the unit tests.")
    figures = dict(_ATTRIBUTE.findall(root[0]))
    try:
        valid = int(figures["lines-valid"]) + int(figures.get("branches-valid", 0))
        covered = int(figures["lines-covered"]) + int(figures.get("branches-covered", 0))
    except (KeyError, ValueError) as error:
        raise ReportUnreadable(f"coverage.xml has no figures: {error!r}", hint="Look at the unit tests' log.") from None
    return round(100 * covered / valid, 2) if valid else 100.0


def files(text: str, root: str = "/src") -> tuple[FileCoverage, ...]:
    """Every file of a report, by name. A name is relative to one of the report's sources. Raises ReportUnreadable."""
    parsed = xml.parse(text, "coverage.xml")
    sources = [node.text or "" for node in parsed.iter("source")]
    found: dict[str, FileCoverage] = {}
    try:
        for node in parsed.iter("class"):
            name = _named(node.get("filename", ""), sources, root)
            found[name] = FileCoverage(name, tuple(_line(line) for line in node.findall("lines/line")))
    except ValueError as error:
        raise ReportUnreadable(f"coverage.xml has no figures: {error}", hint="Look at the unit tests' log.") from None
    return tuple(found[name] for name in sorted(found))


def _named(name: str, sources: list[str], root: str) -> str:
    # With several sources coverage does not say which one a file belongs to; it then gives names from the root.
    joined = posixpath.join(sources[0], name) if len(sources) == 1 else name
    return posixpath.normpath(joined).removeprefix(root.rstrip("/") + "/")


def _line(node: ET.Element) -> Line:
    conditions = _CONDITIONS.search(node.get("condition-coverage", ""))
    taken, branches = (int(conditions[1]), int(conditions[2])) if conditions else (0, 0)
    return Line(int(node.get("number", "")), int(node.get("hits", "")), taken, branches)


def write(covered: Sequence[FileCoverage]) -> str:
    """One Cobertura report whose names are relative to the project, as code hosts want them."""
    lines = [line for file in covered for line in file.lines]
    root = ET.Element("coverage", _rates(lines), version="sealane", timestamp="0", complexity="0")
    ET.SubElement(ET.SubElement(root, "sources"), "source").text = "."
    packages = ET.SubElement(root, "packages")
    folders = sorted({posixpath.dirname(file.file) for file in covered})
    for folder in folders:
        inside = [file for file in covered if posixpath.dirname(file.file) == folder]
        rates = _rates([line for file in inside for line in file.lines], totals=False)
        package = ET.SubElement(packages, "package", rates, name=folder.replace("/", ".") or ".", complexity="0")
        classes = ET.SubElement(package, "classes")
        for file in inside:
            _write_file(classes, file)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _write_file(classes: ET.Element, file: FileCoverage) -> None:
    rates = _rates(file.lines, totals=False)
    name = posixpath.basename(file.file)
    node = ET.SubElement(classes, "class", rates, name=name, filename=file.file, complexity="0")
    ET.SubElement(node, "methods")
    lines = ET.SubElement(node, "lines")
    for line in file.lines:
        attributes = {"number": str(line.number), "hits": str(line.hits)}
        if line.branches:
            share = 100 * line.taken // line.branches
            attributes |= {"branch": "true", "condition-coverage": f"{share}% ({line.taken}/{line.branches})"}
        ET.SubElement(lines, "line", attributes)


def _rates(lines: Sequence[Line], *, totals: bool = True) -> dict[str, str]:
    covered, valid = sum(line.hits > 0 for line in lines), len(lines)
    taken, branches = sum(line.taken for line in lines), sum(line.branches for line in lines)
    rates = {"line-rate": _rate(covered, valid), "branch-rate": _rate(taken, branches)}
    if totals:
        rates |= {"lines-valid": str(valid), "lines-covered": str(covered)}
        rates |= {"branches-valid": str(branches), "branches-covered": str(taken)}
    return rates


def _rate(part: int, whole: int) -> str:
    return f"{part / whole:.4g}" if whole else "1"


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 100.0
