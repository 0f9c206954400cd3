"""Jenkins, as its multibranch projects set the environment. What started a build is the wrapper's to say."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, first, number
from sealane.vendors.table.vendor import Vendor

NAME = "jenkins"


def read(environ: Environ) -> Context:
    tag = environ.get("TAG_NAME", "")
    request = environ.get("CHANGE_ID", "")
    event = Event.PULL_REQUEST if request else Event.TAG if tag else Event.PUSH
    branch = first(environ, "CHANGE_BRANCH", "BRANCH_NAME") or environ.get("GIT_BRANCH", "").removeprefix("origin/")
    return Context(
        NAME,
        event,
        branch="" if tag else branch,
        base=environ.get("CHANGE_TARGET", ""),
        tag=tag,
        pull_request=number(request),
        commit=environ.get("GIT_COMMIT", ""),
        base_commit=environ.get("GIT_PREVIOUS_COMMIT", ""),
        message=environ.get("CHANGE_TITLE", ""),
        actor=first(environ, "CHANGE_AUTHOR", "BUILD_USER_ID"),
        run_url=environ.get("BUILD_URL", ""),
        fork=bool(environ.get("CHANGE_FORK")),
    )


VENDOR = Vendor(
    NAME,
    "Jenkins",
    source="the page /env-vars.html of any Jenkins; branch-api's BranchNameContributor for CHANGE_FORK",
    marks=lambda environ: bool(environ.get("JENKINS_URL")),
    read=read,
)
