"""Build checks: what is allowed in a Dockerfile and is probably a mistake. Names are those of BuildKit's checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine.dockerfile import instructions as ins
from sealane_engine.dockerfile.errors import bad
from sealane_engine.dockerfile.parse import directives

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET = re.compile(r"(?i)(?:^|_)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:$|_)")
_NO_SECRET = re.compile(r"(?i)(?:^|_)public(?:$|_)")
_STAGE_NAME = re.compile(r"(?i)\bAS\s+(\S+)\s*$")
_RESERVED = ("context", "scratch")


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message} (line {self.line})"


def check(text: str, planned: ins.Plan) -> list[Finding]:
    """What the checks find, without those that the `check` directive skips.

    Raises InvalidInput (`dockerfile-check`) when that says that they must hold.
    """
    settings = dict(each.partition("=")[::2] for each in directives(text).get("check", "").split(";"))
    skipped = {name.strip() for name in settings.get("skip", "").split(",")}
    if "all" in skipped:
        return []
    found = [each for each in _findings(planned) if each.check not in skipped]
    if found and settings.get("error", "").strip().lower() == "true":
        first = found[0]
        raise bad(
            first.line,
            f"{first.check}: {first.message}",
            reason="dockerfile-check",
            hint=f"mend it, or skip it with `# check=skip={first.check}`",
        )
    return found


def _findings(planned: ins.Plan) -> Iterator[Finding]:
    names: set[str] = set()
    for stage in planned.stages:
        yield from _of_name(stage, names)
        yield from _of_repeated(stage)
        absolute = False
        for each in stage.instructions:
            yield from _of_instruction(each)
            if isinstance(each, ins.Workdir):
                if not absolute and not each.path.startswith(("/", "$")):
                    message = f"relative workdir {each.path!r} can have unexpected results if the base image changes"
                    yield Finding("WorkdirRelativePath", each.line, message)
                absolute = True


def _of_name(stage: ins.Stage, names: set[str]) -> Iterator[Finding]:
    written = _STAGE_NAME.search(stage.text)
    if written is None:
        return
    if not written[1].islower():
        yield Finding("StageNameCasing", stage.line, f"stage name {written[1]!r} should be lowercase")
    if stage.name in names:
        yield Finding("DuplicateStageName", stage.line, f"duplicate stage name {stage.name!r}")
    if stage.name in _RESERVED:
        yield Finding("ReservedStageName", stage.line, f"stage name {stage.name!r} is reserved")
    names.add(stage.name)


def _of_repeated(stage: ins.Stage) -> Iterator[Finding]:
    """Instructions of which only the last one of a stage counts."""
    seen: dict[str, ins.Instruction] = {}
    for each in stage.instructions:
        name = each.field.upper() if isinstance(each, ins.Command) else type(each).__name__.upper()
        if name not in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            continue
        if name in seen:
            message = f"several {name} instructions in a stage: only the last one counts"
            yield Finding("MultipleInstructionsDisallowed", seen[name].line, message)
        seen[name] = each


def _of_instruction(each: ins.Instruction) -> Iterator[Finding]:
    match each:
        case ins.Maintainer():
            message = "MAINTAINER is deprecated in favour of the label org.opencontainers.image.authors"
            yield Finding("MaintainerDeprecated", each.line, message)
        case ins.Command(is_exec=False, words=(_, *_)):
            message = f"JSON arguments are recommended for {each.field.upper()}: its shell does not pass signals on"
            yield Finding("JSONArgsRecommended", each.line, message)
        case ins.Arg() | ins.Env():
            for name, _ in each.pairs:
                if _SECRET.search(name) and not _NO_SECRET.search(name):
                    message = f"no secrets in ARG or ENV, they stay in the image: {name} (use RUN --mount=type=secret)"
                    yield Finding("SecretsUsedInArgOrEnv", each.line, message)
