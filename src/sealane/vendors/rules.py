"""Which function of the module runs for which event: one table, which the wrappers' triggers and `sealane ci run` read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from sealane.errors import ConfigError
from sealane.vendors.model import Context, Event

if TYPE_CHECKING:
    from sealane.config import CiConfig


# What takes too long for each push: the nightly run adds them.
NIGHTLY_TESTS = ("e2e", "performance")


class Work(StrEnum):
    """What a run is for. Its value is the module's function; `security` is nightly, so NIGHTLY_TESTS go with it."""

    PIPELINE = "pipeline"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class Rule:
    """For this event, this work; where `to` names a key of [tool.sealane.ci], only for the branches, or patterns of tags, that it lists."""

    event: Event
    work: Work
    to: Literal["branches", "base", "tags", ""] = ""


# Without `tags` no wrapper starts for a tag: where a project's own trigger does, it is the pipeline's.
RULES = (
    Rule(Event.PUSH, Work.PIPELINE, to="branches"),
    Rule(Event.PULL_REQUEST, Work.PIPELINE, to="base"),
    Rule(Event.TAG, Work.PIPELINE, to="tags"),
    Rule(Event.MANUAL, Work.PIPELINE),
    Rule(Event.SCHEDULE, Work.SECURITY),
)


def keeps_cache(context: Context, config: CiConfig) -> bool:
    """Whether later runs may take this one's results: of a push to one of the project's own branches, and of nothing else.

    Everybody's runs read that cache, so only who may push there may write it.
    """
    return context.trusted and context.event is Event.PUSH and context.branch in config.branches


def deploys(context: Context, config: CiConfig, environment: str) -> bool:
    """Whether a run that passed is for this environment: the one that was chosen by hand, else by the branch that was pushed.

    Every branch of `branches` goes to the first environment, one of `base` to the others, too.
    A branch that the vendor keeps to itself is taken for one of those: its wrapper has looked already.
    """
    if not context.trusted or environment not in config.environments:
        return False
    chosen = context.inputs.get("environment", "")
    if context.event is Event.MANUAL and chosen:
        return chosen == environment
    branches = config.branches if environment == config.environments[0] else config.base
    return context.event in (Event.PUSH, Event.MANUAL) and (not context.branch or context.branch in branches)


def work_for(context: Context, config: CiConfig, asked: str = "") -> Work | None:
    """What to run for a context; None when this event on this branch is for nothing.

    `asked` is what the wrapper says itself, which wins: GitHub's nightly workflow, started by hand, is still the nightly
    one. A branch that the vendor keeps to itself is taken for one of those that run. Raises ConfigError
    (`bad-environment`) when whoever started the run chose an environment that there is none of.
    """
    environment = context.inputs.get("environment", "")
    if environment and environment not in config.environments:
        raise ConfigError(
            f"this run was started for the environment {environment!r}",
            reason="bad-environment",
            hint=f"There is {', '.join(config.environments)} (ci.environments in [tool.sealane]).",
        )
    if asked:
        return Work(asked)
    rule = next(rule for rule in RULES if rule.event is context.event)
    target = context.base if rule.event is Event.PULL_REQUEST else context.branch
    wanted = getattr(config, rule.to) if rule.to else ()
    if rule.event is Event.TAG:
        return rule.work if not wanted or any(fnmatchcase(context.tag, each) for each in wanted) else None
    return rule.work if not wanted or not target or target in wanted else None
