"""Azure Pipelines."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from sealane.vendors.model import Context, Environ, Event, first, number, ref_of, short
from sealane.vendors.table.vendor import Vendor
from sealane.vendors.voice import Note, Voice, escaped

NAME = "azure"
_EVENTS = {"PullRequest": Event.PULL_REQUEST, "Schedule": Event.SCHEDULE, "Manual": Event.MANUAL}


def read(environ: Environ) -> Context:
    ref = environ.get("BUILD_SOURCEBRANCH", "")
    tag = ref_of(ref, "tags")
    event = _EVENTS.get(environ.get("BUILD_REASON", ""), Event.TAG if tag else Event.PUSH)
    return Context(
        NAME,
        event,
        branch=short(environ.get("SYSTEM_PULLREQUEST_SOURCEBRANCH", "")) or ref_of(ref, "heads"),
        base=short(environ.get("SYSTEM_PULLREQUEST_TARGETBRANCH", "")),
        tag=tag,
        pull_request=number(first(environ, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID")),
        commit=first(environ, "SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
        message="" if event is Event.PULL_REQUEST else environ.get("BUILD_SOURCEVERSIONMESSAGE", ""),
        actor=environ.get("BUILD_REQUESTEDFOR", ""),
        run_url=_url(environ),
        repository=environ.get("BUILD_REPOSITORY_NAME", ""),
        fork=event is Event.PULL_REQUEST and environ.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() != "false",
    )


def _url(environ: Environ) -> str:
    collection, project, build = (
        environ.get(name, "") for name in ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")
    )
    return f"{collection}{quote(project)}/_build/results?buildId={build}" if collection else ""


_TEXT = {"%": "%AZP25", "\r": "%0D", "\n": "%0A", ";": "%3B", "]": "%5D"}


def _note(note: Note) -> str:
    place = {
        "sourcepath": note.file,
        "linenumber": str(note.line) if note.file and note.line else "",
        "code": note.title,
    }
    kind = "error" if note.level == "error" else "warning"
    said = "".join(f"{key}={escaped(value, _TEXT)};" for key, value in place.items() if value)
    return f"##vso[task.logissue type={kind};{said}]{escaped(note.message, _TEXT)}"


def _taken(report: Path) -> list[str]:
    summary = report / "summary.md"
    return [f"##vso[task.uploadsummary]{escaped(str(summary.absolute()), _TEXT)}"] if summary.is_file() else []


# learn.microsoft.com: "Logging commands"
VOICE = Voice(
    opened=lambda name, _: f"##[group]{escaped(name, _TEXT)}",
    closed=lambda *_: "##[endgroup]",
    note=_note,
    taken=_taken,
)

VENDOR = Vendor(
    NAME,
    "Azure Pipelines",
    source="learn.microsoft.com: Use predefined variables",
    marks=lambda environ: environ.get("TF_BUILD", "").lower() == "true",
    read=read,
    voice=VOICE,
)
