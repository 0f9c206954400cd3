"""TeamCity. Most of what it knows are parameters, not variables; it leaves them in a file."""

from __future__ import annotations

import re
from pathlib import Path

from sealane.vendors.model import Context, Environ, Event, number, short
from sealane.vendors.table.vendor import Vendor
from sealane.vendors.voice import Voice, escaped

NAME = "teamcity"
_DEFAULT = "<default>"  # what it calls the branch when it is the project's default one
_REQUEST = re.compile(r"(?:pull|pull-requests|merge-requests)/(\d+)")
_TAG = re.compile(r"(?:refs/)?tags/")
_CODES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


def read(environ: Environ) -> Context:
    known = _parameters(environ.get("TEAMCITY_BUILD_PROPERTIES_FILE", ""))
    branch = known.get("teamcity.build.branch", "")
    found = _REQUEST.match(branch)
    request = number(known.get("teamcity.pullRequest.number", "")) or number(found[1] if found else "")
    # by a root's setting tags are branches; of `+:refs/(tags/*)` in its branch specification this is what it calls them
    tag = _TAG.sub("", branch) if _TAG.match(branch) and not request else ""
    source = short(known.get("teamcity.pullRequest.source.branch", ""))
    return Context(
        NAME,
        _event(known, request, tag),
        branch=source if request else "" if tag or branch == _DEFAULT else short(branch),
        base=short(known.get("teamcity.pullRequest.target.branch", "")) if request else "",
        tag=tag,
        pull_request=request,
        commit=environ.get("BUILD_VCS_NUMBER", ""),
        message=known.get("teamcity.pullRequest.title", "") if request else "",
        actor=known.get("teamcity.build.triggeredBy.username", ""),
        run_url=environ.get("BUILD_URL", ""),
        fork=bool(request),
    )


def _event(known: dict[str, str], request: int, tag: str) -> Event:
    if request or tag:
        return Event.PULL_REQUEST if request else Event.TAG
    by = known.get("teamcity.build.triggeredBy", "")
    if by.startswith("Schedule Trigger"):
        return Event.SCHEDULE
    return Event.MANUAL if known.get("teamcity.build.triggeredBy.username") else Event.PUSH


def _parameters(path: str) -> dict[str, str]:
    """All parameters: those of the system, and the configuration's, whose file one of the former names."""
    system = _properties(path)
    return {**system, **_properties(system.get("teamcity.configuration.properties.file", ""))}


def _properties(path: str) -> dict[str, str]:
    """Java's properties, as TeamCity writes them: a line each, `name=value`, with backslashes."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines() if path else []
    except OSError:
        return {}
    pairs = (re.match(r"((?:\\.|[^=:\\])*?)\s*[=:]\s*(.*)", line) for line in lines if not line.startswith(("#", "!")))
    return {_plain(pair[1]): _plain(pair[2]) for pair in pairs if pair}


def _plain(text: str) -> str:
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|(.))", lambda f: chr(int(f[1], 16)) if f[1] else _CODES.get(f[2], f[2]), text
    )


_TEXT = {"|": "||", "'": "|'", "\n": "|n", "\r": "|r", "[": "|[", "]": "|]"}


def _taken(report: Path) -> list[str]:
    tests = report / "junit.xml"
    return [f"##teamcity[importData type='junit' path='{escaped(str(tests), _TEXT)}']"] if tests.is_file() else []


# "Service messages"
VOICE = Voice(
    opened=lambda name, _: f"##teamcity[blockOpened name='{escaped(name, _TEXT)}']",
    closed=lambda name, _: f"##teamcity[blockClosed name='{escaped(name, _TEXT)}']",
    taken=_taken,
)

VENDOR = Vendor(
    NAME,
    "TeamCity",
    source="jetbrains.com/help/teamcity: Predefined build parameters; Service messages",
    marks=lambda environ: bool(environ.get("TEAMCITY_VERSION")),
    read=read,
    voice=VOICE,
)
