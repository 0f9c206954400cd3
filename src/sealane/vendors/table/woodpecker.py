"""Woodpecker. Its environment doesn't say where a pull request comes from, so each counts as a fork's."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, first, number
from sealane.vendors.table.vendor import Vendor

NAME = "woodpecker"
_EVENTS = {
    "pull_request": Event.PULL_REQUEST,
    "pull_request_closed": Event.PULL_REQUEST,
    "pull_request_metadata": Event.PULL_REQUEST,
    "tag": Event.TAG,
    "release": Event.TAG,
    "cron": Event.SCHEDULE,
    "manual": Event.MANUAL,
    "deployment": Event.MANUAL,
}


def read(environ: Environ) -> Context:
    event = _EVENTS.get(environ.get("CI_PIPELINE_EVENT", ""), Event.PUSH)
    tag = environ.get("CI_COMMIT_TAG", "")
    # CI_COMMIT_BRANCH of a pull request is where it goes to
    branch = first(environ, "CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH")
    return Context(
        NAME,
        event,
        branch="" if tag else branch,
        base=environ.get("CI_COMMIT_TARGET_BRANCH", ""),
        tag=tag,
        pull_request=number(environ.get("CI_COMMIT_PULL_REQUEST", "")),
        commit=environ.get("CI_COMMIT_SHA", ""),
        base_commit=environ.get("CI_PREV_COMMIT_SHA", ""),
        message=environ.get("CI_COMMIT_MESSAGE", ""),
        actor=environ.get("CI_COMMIT_AUTHOR", ""),
        run_url=environ.get("CI_PIPELINE_URL", ""),
        repository=environ.get("CI_REPO", ""),
        default_branch=environ.get("CI_REPO_DEFAULT_BRANCH", ""),
        fork=event is Event.PULL_REQUEST,
    )


VENDOR = Vendor(
    NAME,
    "Woodpecker",
    source="woodpecker-ci.org/docs/usage/environment; pipeline/frontend/metadata/environment.go",
    marks=lambda environ: environ.get("CI") == "woodpecker",
    read=read,
)
