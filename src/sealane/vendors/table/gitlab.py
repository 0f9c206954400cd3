"""GitLab CI."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, first, number
from sealane.vendors.table.vendor import Vendor
from sealane.vendors.voice import Voice

NAME = "gitlab"
_EVENTS = {
    "merge_request_event": Event.PULL_REQUEST,
    "external_pull_request_event": Event.PULL_REQUEST,
    "schedule": Event.SCHEDULE,
    "web": Event.MANUAL,
    "api": Event.MANUAL,
    "trigger": Event.MANUAL,
    "pipeline": Event.MANUAL,
    "chat": Event.MANUAL,
    "webide": Event.MANUAL,
}
_NOTHING = "0" * 40


def read(environ: Environ) -> Context:
    tag = environ.get("CI_COMMIT_TAG", "")
    event = _EVENTS.get(environ.get("CI_PIPELINE_SOURCE", ""), Event.TAG if tag else Event.PUSH)
    before = environ.get("CI_COMMIT_BEFORE_SHA", "")
    theirs, ours = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), environ.get("CI_MERGE_REQUEST_PROJECT_ID")
    return Context(
        NAME,
        event,
        branch=first(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"),
        base=environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        tag=tag,
        pull_request=number(environ.get("CI_MERGE_REQUEST_IID", "")),
        commit=first(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
        base_commit=environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA") or ("" if before == _NOTHING else before),
        message=first(environ, "CI_MERGE_REQUEST_TITLE", "CI_COMMIT_MESSAGE"),
        actor=environ.get("GITLAB_USER_LOGIN", ""),
        run_url=environ.get("CI_PIPELINE_URL", ""),
        repository=environ.get("CI_PROJECT_PATH", ""),
        default_branch=environ.get("CI_DEFAULT_BRANCH", ""),
        fork=event is Event.PULL_REQUEST and (not ours or theirs != ours),
    )


# "Job logs": custom collapsible sections. What is at a line goes into its reports (vendors.gitlab_reports).
VOICE = Voice(
    opened=lambda name, now: f"\x1b[0Ksection_start:{now}:{name}[collapsed=true]\r\x1b[0K{name}",
    closed=lambda name, now: f"\x1b[0Ksection_end:{now}:{name}\r\x1b[0K",
)

VENDOR = Vendor(
    NAME,
    "GitLab CI",
    source="docs.gitlab.com/ci/variables/predefined_variables",
    marks=lambda environ: environ.get("GITLAB_CI") == "true",
    read=read,
    voice=VOICE,
)
