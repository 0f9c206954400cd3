"""AWS CodeBuild. Its environment doesn't say where a pull request comes from, so each counts as a fork's."""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event, first, number, ref_of, repository_in, short
from sealane.vendors.table.vendor import Vendor

NAME = "codebuild"


def read(environ: Environ) -> Context:
    trigger = environ.get("CODEBUILD_WEBHOOK_TRIGGER", "")
    kind, _, name = trigger.partition("/")
    head = environ.get("CODEBUILD_WEBHOOK_HEAD_REF", "")
    branch = ref_of(head, "heads") or (name if kind == "branch" else "")
    commit = environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION", "")
    return Context(
        NAME,
        _event(environ, kind),
        branch=branch,
        base=short(environ.get("CODEBUILD_WEBHOOK_BASE_REF", "")),
        tag=name if kind == "tag" else ref_of(head, "tags"),
        pull_request=number(name) if kind == "pr" else 0,
        commit=commit,
        base_commit=environ.get("CODEBUILD_WEBHOOK_PREV_COMMIT", ""),
        actor=environ.get("CODEBUILD_INITIATOR", ""),
        run_url=first(environ, "CODEBUILD_PUBLIC_BUILD_URL", "CODEBUILD_BUILD_URL"),
        repository=repository_in(environ.get("CODEBUILD_SOURCE_REPO_URL", "")),
        fork=kind == "pr",
    )


def _event(environ: Environ, kind: str) -> Event:
    if environ.get("CODEBUILD_WEBHOOK_EVENT"):
        return {"pr": Event.PULL_REQUEST, "tag": Event.TAG}.get(kind, Event.PUSH)
    # an EventBridge rule is the only clock that CodeBuild has
    return Event.SCHEDULE if environ.get("CODEBUILD_INITIATOR", "").startswith("rule/") else Event.MANUAL


VENDOR = Vendor(
    NAME,
    "AWS CodeBuild",
    source="docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html",
    marks=lambda environ: bool(environ.get("CODEBUILD_BUILD_ID")),
    read=read,
)
