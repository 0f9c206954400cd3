"""CircleCI. Its environment doesn't say what a pull request goes to, nor why a run was started: the wrapper does."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, number
from sealane.vendors.table.vendor import Vendor

NAME = "circleci"
# pipeline.trigger_source, which the wrapper hands over
_EVENTS = {"scheduled_pipeline": Event.SCHEDULE, "schedule": Event.SCHEDULE, "api": Event.MANUAL, "app": Event.MANUAL}


def read(environ: Environ) -> Context:
    tag = environ.get("CIRCLE_TAG", "")
    request = environ.get("CIRCLE_PR_NUMBER") or environ.get("CIRCLE_PULL_REQUEST", "").rpartition("/")[2]
    pushed = Event.PULL_REQUEST if number(request) else Event.TAG if tag else Event.PUSH
    event = _EVENTS.get(environ.get("SEALANE_TRIGGER", ""), pushed)
    owner, name = environ.get("CIRCLE_PROJECT_USERNAME", ""), environ.get("CIRCLE_PROJECT_REPONAME", "")
    return Context(
        NAME,
        event,
        branch=environ.get("CIRCLE_BRANCH", ""),
        tag=tag,
        pull_request=number(request),
        commit=environ.get("CIRCLE_SHA1", ""),
        actor=environ.get("CIRCLE_USERNAME", ""),
        run_url=environ.get("CIRCLE_BUILD_URL", ""),
        repository=f"{owner}/{name}" if owner and name else "",
        fork=bool(environ.get("CIRCLE_PR_USERNAME") or environ.get("CIRCLE_PR_NUMBER")),
    )


VENDOR = Vendor(
    NAME,
    "CircleCI",
    source="circleci.com/docs/reference/variables",
    marks=lambda environ: environ.get("CIRCLECI") == "true",
    read=read,
)
