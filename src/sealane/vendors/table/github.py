"""GitHub Actions. The event's own file knows what the environment doesn't: fork, message, inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sealane.vendors.model import Context, Environ, Event
from sealane.vendors.table.vendor import Vendor
from sealane.vendors.voice import Note, Voice, escaped

NAME = "github"
_NOTHING = "0" * 40  # what GitHub calls the commit before the first


def read(environ: Environ) -> Context:
    payload = _payload(environ.get("GITHUB_EVENT_PATH", ""))
    name = environ.get("GITHUB_EVENT_NAME", "")
    request = payload.get("pull_request") or {}
    repository = environ.get("GITHUB_REPOSITORY", "")
    on_tag = environ.get("GITHUB_REF_TYPE") == "tag"
    ref = environ.get("GITHUB_REF_NAME", "")
    if name.startswith("pull_request"):
        event = Event.PULL_REQUEST
    elif name == "schedule":
        event = Event.SCHEDULE
    elif name in ("workflow_dispatch", "repository_dispatch"):
        event = Event.MANUAL
    else:
        event = Event.TAG if on_tag else Event.PUSH
    before = str(payload.get("before") or "")
    return Context(
        NAME,
        event,
        branch=environ.get("GITHUB_HEAD_REF") or ("" if on_tag else ref),
        base=environ.get("GITHUB_BASE_REF", ""),
        tag=ref if on_tag else "",
        pull_request=int(request.get("number") or 0),
        commit=_at(request, "head", "sha") or environ.get("GITHUB_SHA", ""),
        base_commit=_at(request, "base", "sha") or ("" if before == _NOTHING else before),
        message=_message(request, payload),
        actor=environ.get("GITHUB_ACTOR", ""),
        run_url="{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(_Blank(environ)),
        repository=repository,
        default_branch=_at(payload, "repository", "default_branch"),
        fork=event is Event.PULL_REQUEST and not _from_here(request, repository),
        inputs={str(key): str(value) for key, value in (payload.get("inputs") or {}).items() if value is not None},
    )


def _from_here(request: dict[str, Any], repository: str) -> bool:
    """Whether a pull request comes from this repository; a deleted fork has none any more."""
    return bool(repository) and _at(request, "head", "repo", "full_name") == repository


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def _message(request: dict[str, Any], payload: dict[str, Any]) -> str:
    if request:
        return "\n\n".join(filter(None, (request.get("title"), request.get("body"))))
    return _at(payload, "head_commit", "message")


def _at(value: Any, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return str(value or "")


def _payload(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def _note(note: Note) -> str:
    place = {"file": note.file, "line": str(note.line) if note.file and note.line else "", "title": note.title}
    said = ",".join(f"{key}={escaped(value, _PROPERTY)}" for key, value in place.items() if value)
    return f"::{note.level} {said}::{escaped(note.message, _DATA)}"


# "Workflow commands for GitHub Actions"; of each level it shows ten a step
VOICE = Voice(
    opened=lambda name, _: f"::group::{escaped(name, _DATA)}",
    closed=lambda *_: "::endgroup::",
    note=_note,
    summary="GITHUB_STEP_SUMMARY",
    most=10,
)

VENDOR = Vendor(
    NAME,
    "GitHub Actions",
    source="docs.github.com: Variables reference; Webhook events and payloads",
    marks=lambda environ: environ.get("GITHUB_ACTIONS") == "true",
    read=read,
    voice=VOICE,
)
