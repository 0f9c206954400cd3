"""Buildkite."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, first, number, repository_in
from sealane.vendors.table.vendor import Vendor
from sealane.vendors.voice import Voice, escaped

NAME = "buildkite"
_EVENTS = {"schedule": Event.SCHEDULE, "ui": Event.MANUAL, "api": Event.MANUAL, "trigger_job": Event.MANUAL}


def read(environ: Environ) -> Context:
    tag, request = environ.get("BUILDKITE_TAG", ""), number(environ.get("BUILDKITE_PULL_REQUEST", ""))
    pushed = Event.PULL_REQUEST if request else Event.TAG if tag else Event.PUSH
    commit = environ.get("BUILDKITE_COMMIT", "")
    ours, theirs = environ.get("BUILDKITE_REPO", ""), environ.get("BUILDKITE_PULL_REQUEST_REPO", "")
    return Context(
        NAME,
        _EVENTS.get(environ.get("BUILDKITE_SOURCE", ""), pushed),
        # of a fork's it is `owner:branch`
        branch="" if tag else environ.get("BUILDKITE_BRANCH", "").rpartition(":")[2],
        base=environ.get("BUILDKITE_PULL_REQUEST_BASE_BRANCH", ""),
        tag=tag,
        pull_request=request,
        commit="" if commit == "HEAD" else commit,  # HEAD: whatever the branch has when the agent fetches it
        message=environ.get("BUILDKITE_MESSAGE", ""),
        actor=first(environ, "BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_AUTHOR"),
        run_url=environ.get("BUILDKITE_BUILD_URL", ""),
        repository=repository_in(ours),
        default_branch=environ.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH", ""),
        fork=bool(request) and (not theirs or repository_in(theirs) != repository_in(ours)),
    )


# "Managing log output": a group goes on until the next one begins; that with the result is open
# "buildkite-agent annotate": one annotation for each context, replaced by a later one
VOICE = Voice(
    opened=lambda name, _: f"--- {escaped(name, {})}",
    closed=lambda name, _: f"+++ {escaped(name, {})}: result",
    annotated=lambda name: ["buildkite-agent", "annotate", "--style", "info", "--context", f"sealane-{name}"],
)

VENDOR = Vendor(
    NAME,
    "Buildkite",
    source="buildkite.com/docs/pipelines/configure/environment-variables",
    marks=lambda environ: environ.get("BUILDKITE") == "true",
    read=read,
    voice=VOICE,
)
