"""Judges the licences of packages: which a policy allows, which it denies, and which nobody can name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sealane.findings.model import Finding, Severity
from sealane.findings.scanners.common import Said, parse, sentence

if TYPE_CHECKING:
    from sealane.config.stages import LicencesConfig

TOOL = "licences"
# What classifiers and loose words mean in SPDX identifiers. A classifier that names no version ("BSD License") stands
# for the family: a policy that allows all of the family allows it.
_CLASSIFIERS = {
    "Academic Free License (AFL)": "AFL-3.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License (GPL)": "GPL",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "zlib/libpng License": "Zlib",
}
_LOOSE = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "bsd": "BSD",
    "bsd license": "BSD",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3-clause license": "BSD-3-Clause",
    "gpl": "GPL",
    "isc license": "ISC",
    "lgpl": "LGPL",
    "mit license": "MIT",
    "the mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mpl 2.0": "MPL-2.0",
    "psf": "PSF-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
_WORD = re.compile(r"\(|\)|[A-Za-z0-9.+-]+")
_IDENTIFIER = re.compile(r"^(LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9][A-Za-z0-9.-]*\+?)$")
_NOBODY = frozenset({"unknown", "none", "unlicensed", "see", "dual", "proprietary", "noassertion"})


@dataclass(frozen=True, slots=True)
class Package:
    ecosystem: str
    name: str
    version: str
    licence: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def read(text: str, policy: LicencesConfig, places: Mapping[tuple[str, str], tuple[str, int]]) -> Said:
    """What the policy says of a report of `stages/scripts/licences.py`. `places` is where a package is asked for, by
    ecosystem and name in lower case. Raises ReportUnreadable.
    """
    return parse(text, TOOL, lambda rows: Said(tuple(_judged(packages(rows), policy, places))))


def packages(rows: Any) -> tuple[Package, ...]:
    if not isinstance(rows, list):
        raise TypeError("it is no list")
    return tuple(Package(row["ecosystem"], row["name"], row["version"], licence(row)) for row in rows)


def licence(row: Mapping[str, Any]) -> str:
    """The SPDX expression a package has, as far as its metadata tell it; else empty."""
    for said in map(str, (row["expression"], row["field"])):
        text = _LOOSE.get(" ".join(said.lower().split()), said.strip())
        if _is_expression(text):
            return text
    named = [_CLASSIFIERS.get(c.rpartition(" :: ")[2], "") for c in row["classifiers"]]
    known = sorted({name for name in named if name})
    return " OR ".join(known)


def _is_expression(text: str) -> bool:
    """Names with OR, AND or WITH between them, and nothing else: metadata hold prose and whole licences too."""
    words = _WORD.findall(text)
    if "".join(words) != "".join(text.split()):
        return False
    plain = [word for word in words if word not in {"(", ")"}]
    names, between = plain[::2], plain[1::2]
    if len(plain) % 2 == 0 or not set(between) <= {"OR", "AND", "WITH"}:
        return False
    return all(_IDENTIFIER.match(name) and name.lower() not in _NOBODY for name in names)


def _judged(
    found: tuple[Package, ...], policy: LicencesConfig, places: Mapping[tuple[str, str], tuple[str, int]]
) -> Iterator[Finding]:
    for package in found:
        said = policy.packages.get(package.name) or package.licence
        file, line = places.get((package.ecosystem, package.name.lower()), ("", 0))
        if not said:
            text = "says no licence that can be named (if you know it: scan.licences.packages)"
            yield Finding(TOOL, "licence-unknown", Severity.MEDIUM, sentence(package, text), file, line)
        elif not allowed(said, policy):
            rule = "licence-denied" if _matches(said, policy.deny) else "licence-not-allowed"
            yield Finding(TOOL, rule, Severity.HIGH, sentence(package, f"has the licence {said}"), file, line)


def allowed(expression: str, policy: LicencesConfig) -> bool:
    """Whether one may use what has this licence: of `A OR B` one must do, of `A AND B` both."""
    return _Choice(_WORD.findall(expression), policy).any()


def _matches(expression: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, pattern) for word in _WORD.findall(expression) for pattern in patterns)


class _Choice:
    """Walks an expression from left to right; AND binds more than OR."""

    def __init__(self, words: list[str], policy: LicencesConfig) -> None:
        self._words, self._policy = words, policy

    def any(self) -> bool:
        good = self._all()
        while self._next("OR"):
            good = self._all() or good
        return good

    def _all(self) -> bool:
        good = self._one()
        while self._next("AND"):
            good = self._one() and good
        return good

    def _one(self) -> bool:
        if self._next("("):
            good = self.any()
            self._next(")")
            return good
        name = self._words.pop(0) if self._words else ""
        if self._next("WITH"):
            exception = self._words.pop(0) if self._words else ""
            return self._may(f"{name} WITH {exception}") if self._named(f"{name} WITH {exception}") else self._may(name)
        return self._may(name)

    def _next(self, word: str) -> bool:
        if self._words[:1] != [word]:
            return False
        del self._words[0]
        return True

    def _named(self, name: str) -> bool:
        return any(fnmatchcase(name, p) for p in (*self._policy.allow, *self._policy.deny) if " WITH " in p)

    def _may(self, name: str) -> bool:
        if any(fnmatchcase(name, pattern) for pattern in self._policy.deny):
            return False
        return not self._policy.allow or any(fnmatchcase(name, pattern) for pattern in self._policy.allow)


def write(text: str) -> str:
    """The report for people and programs: each package with the licence that was understood."""
    found = packages(json.loads(text))
    rows = [{"ecosystem": p.ecosystem, "name": p.name, "version": p.version, "licence": p.licence} for p in found]
    return json.dumps({"packages": rows}, indent=1) + "\n"
