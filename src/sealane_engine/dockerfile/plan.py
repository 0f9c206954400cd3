"""Instructions to stages: which there are, what each is built on, and which of them a target needs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealane_engine.dockerfile import instructions as ins
from sealane_engine.dockerfile import mounts
from sealane_engine.dockerfile.errors import bad
from sealane_engine.dockerfile.parse import From, escape_of, parse
from sealane_engine.dockerfile.words import WordError, expand
from sealane_engine.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def platform_arguments(build: str, target: str) -> dict[str, str]:
    """The arguments that BuildKit sets by itself."""
    values: dict[str, str] = {}
    for prefix, platform in (("BUILD", build), ("TARGET", target)):
        os_name, architecture, variant = (*platform.split("/"), "", "")[:3]
        values |= {
            f"{prefix}PLATFORM": platform,
            f"{prefix}OS": os_name,
            f"{prefix}ARCH": architecture,
            f"{prefix}VARIANT": variant,
        }
    return values


def plan(text: str, build_args: Mapping[str, str], *, build_platform: str, target_platform: str) -> ins.Plan:
    """The stages of a Dockerfile; FROM lines are expanded with the arguments before them.

    Raises InvalidInput with the line.
    """
    escape = escape_of(text)
    scope = platform_arguments(build_platform, target_platform)
    declared: dict[str, str] = {}
    stages: list[ins.Stage] = []
    body: list[ins.Instruction] = []
    for each in parse(text):
        if isinstance(each, From):
            if stages:
                stages[-1] = replace(stages[-1], instructions=tuple(body))
            body = []
            stages.append(_stage(len(stages), each, {**scope, **declared}, escape))
        elif stages:
            body.append(each)
        elif isinstance(each, ins.Arg):
            for name, default in each.pairs:
                value = build_args.get(name)
                if value is None and default is not None:
                    value = _expanded(default, {**scope, **declared}, escape, each.line)
                if value is not None:
                    declared[name] = value
        else:
            raise bad(each.line, "no build stage in current context", reason="dockerfile-no-stage")
    if not stages:
        raise bad(1, "file with no instructions", reason="dockerfile-empty")
    stages[-1] = replace(stages[-1], instructions=tuple(body))
    return ins.Plan(tuple(stages), tuple(declared.items()), escape)


def find_target(planned: ins.Plan, target: str) -> int:
    """The index of the stage that a target names ("" is the last)."""
    if not target:
        return len(planned.stages) - 1
    index = find_stage(planned, target, len(planned.stages))
    if index is None:
        names = ", ".join(stage.name for stage in planned.stages if stage.name)
        raise InvalidInput(
            f"target stage {target!r} could not be found",
            reason="dockerfile-no-target",
            hint=f"the stages are {names}" if names else "no stage of this Dockerfile has a name",
        )
    return index


def find_stage(planned: ins.Plan, name: str, before: int) -> int | None:
    """The stage a name or number means to a FROM at `before`: the latest of that name that comes earlier."""
    if name.isdigit():
        return int(name) if int(name) < before else None
    for stage in reversed(planned.stages[:before]):
        if stage.name and stage.name == name.lower():
            return stage.index
    return None


def find_source(planned: ins.Plan, name: str, at: int) -> int | None:
    """The stage a COPY --from or a mount of the stage `at` means: an earlier one, else one that comes later."""
    index = find_stage(planned, name, at)
    return find_stage(planned, name, len(planned.stages)) if index is None else index


def needed(planned: ins.Plan, target: int) -> tuple[int, ...]:
    """The stages that the target is made of, in order."""
    found: set[int] = set()
    todo = [target]
    while todo:
        index = todo.pop()
        if index not in found:
            found.add(index)
            todo.extend(_wanted(planned, planned.stages[index]))
    return tuple(sorted(found))


def _wanted(planned: ins.Plan, stage: ins.Stage) -> Iterator[int]:
    base = find_stage(planned, stage.base, stage.index)
    names = []
    for each in stage.instructions:
        if isinstance(each, ins.Copy) and each.stage:
            names.append(each.stage)
        elif isinstance(each, ins.Run):
            names += [source for text in each.mounts if (source := mounts.source_of(text))]
    for index in (base, *(find_source(planned, name, stage.index) for name in names)):
        if index is not None:
            yield index


def _stage(index: int, each: From, variables: Mapping[str, str], escape: str) -> ins.Stage:
    base = _expanded(each.base, variables, escape, each.line)
    if not base:
        raise bad(each.line, f"base name ({each.base}) should not be blank", reason="dockerfile-no-base")
    platform = _expanded(each.platform, variables, escape, each.line)
    return ins.Stage(index, each.name, base, platform, each.line, each.text)


def _expanded(text: str, variables: Mapping[str, str], escape: str, line: int) -> str:
    try:
        return expand(text, variables, escape)
    except WordError as error:
        raise bad(line, f"failed to process {text!r}: {error}", reason="dockerfile-bad-word") from error
