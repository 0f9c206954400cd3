"""Bitbucket Pipelines. A fork's pull request runs in the fork, never here; custom pipelines say who called them."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, number
from sealane.vendors.table.vendor import Vendor

NAME = "bitbucket"


def read(environ: Environ) -> Context:
    tag, request = environ.get("BITBUCKET_TAG", ""), environ.get("BITBUCKET_PR_ID", "")
    event = Event.PULL_REQUEST if request else Event.TAG if tag else Event.PUSH
    repository, build = environ.get("BITBUCKET_REPO_FULL_NAME", ""), environ.get("BITBUCKET_BUILD_NUMBER", "")
    return Context(
        NAME,
        event,
        branch=environ.get("BITBUCKET_BRANCH", ""),
        base=environ.get("BITBUCKET_PR_DESTINATION_BRANCH", ""),
        tag=tag,
        pull_request=number(request),
        commit=environ.get("BITBUCKET_COMMIT", ""),
        base_commit=environ.get("BITBUCKET_PR_DESTINATION_COMMIT", ""),
        actor=environ.get("BITBUCKET_STEP_TRIGGERER_UUID", ""),
        run_url=f"https://bitbucket.org/{repository}/pipelines/results/{build}" if repository else "",
        repository=repository,
    )


VENDOR = Vendor(
    NAME,
    "Bitbucket Pipelines",
    source="support.atlassian.com: Variables and secrets",
    marks=lambda environ: bool(environ.get("BITBUCKET_BUILD_NUMBER")),
    read=read,
)
