"""What a vendor's wrapper runs: the calls that an event is for, folded in its log, and what they found said to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli import vendor_gates
from sealane.cli.options import Options
from sealane.cli.vendor_cache import Cache
from sealane.errors import ConfigError, UsageError
from sealane.vendors.context import detect, read
from sealane.vendors.neutral import neutral
from sealane.vendors.rules import NIGHTLY_TESTS, Work, deploys, keeps_cache, work_for
from sealane.vendors.shape import DEPLOY, GATES
from sealane.vendors.voice import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealane.cli.guard import Guard
    from sealane.config import CiConfig
    from sealane.vendors.model import Context
    from sealane.vendors.voice import Voice

OUT = "out"
NIGHTLY = "nightly-tests"
_CODECOV = "CODECOV_TOKEN"
_TOOLS = ".sealane-bin"  # where a wrapper puts the `dagger` command line


def run_here(options: Options, guard: Guard, config: CiConfig, *, asked: str, only: str) -> int:
    """Run what this vendor's event is for; the exit code is the pipeline's."""
    context = read(options.environ)
    work = work_for(context, config, asked)
    if only.startswith(DEPLOY):
        return _deploy(context, config, only.removeprefix(DEPLOY))
    out = Path(OUT, "" if vendor_gates.checked(only) == GATES else only)
    out.mkdir(parents=True, exist_ok=True)  # a vendor that is to keep it fails where it is not there
    if work is None:
        where = context.base or context.branch or context.tag
        print(f"Nothing runs for a {context.event} on {where} (ci.branches, ci.base and ci.tags in [tool.sealane]).")
        return 0
    if only and (only == Work.SECURITY) != (work is Work.SECURITY):
        print(f"Nothing to do here: a {context.event} is for {work}, and this job for {only}.")
        return 0
    vendor = detect(options.environ)
    voice = vendor.voice if vendor else SILENT
    if only == GATES:
        try:
            return vendor_gates.judge(out, Path(config.source))
        finally:
            summarise(voice, options, out / "summary.md")
    stopped = vendor_gates.stops(only, Path(OUT))
    if stopped:
        print(f"Nothing to do here: {stopped} did not pass.")
        return 0
    folders = (out, out / NIGHTLY)
    for folder in folders:
        (folder / "run.json").unlink(missing_ok=True)  # of an earlier run, or in the repository: not this one's
    cache = Cache(options, context.vendor, config.cache)
    cache.take()
    code = 0
    name = (only or work).replace("-", "_")
    if voice.opened:
        guard.say(voice.opened(name, int(time.time())))
    try:
        for words in calls(context, config.source, only or work, str(out)):
            code = max(code, _call(options, words))
        for words in uploads(context, config.source, only or work, options.environ):
            if _call(options, words):
                print("The coverage was not taken by Codecov: this changes no verdict.")
    finally:
        if voice.closed:
            guard.say(voice.closed(name, int(time.time())))
        if keeps_cache(context, config):
            cache.keep()
        for folder in folders:
            tell(guard, voice, options, config.source, folder)
    return code


def _deploy(context: Context, config: CiConfig, environment: str) -> int:
    """The project's own script, with the environment's name; the exit code is the script's."""
    if not config.deploy or environment not in config.environments:
        raise UsageError(
            f"nothing deploys to {environment!r}",
            reason="no-such-stage",
            hint="Name a script as ci.deploy and the environment in ci.environments, in [tool.sealane].",
        )
    if not deploys(context, config, environment):
        print(f"Nothing to do here: this {context.event} is not for {environment} (ci.branches, ci.base).")
        return 0
    sys.stdout.flush()
    try:
        return subprocess.run([f"./{config.deploy}", environment], check=False, stdin=subprocess.DEVNULL).returncode
    except OSError as error:
        raise ConfigError(
            f"{config.deploy} can't be run: {error.strerror}",
            reason="cannot-deploy",
            hint="ci.deploy is a script in the repository that may be executed and says by what (`#!`).",
        ) from None


def calls(context: Context, source: str, work: str, out: str = OUT) -> list[list[str]]:
    """What `sealane call` is told, whose reports go to `out`; what comes from outside is an argument of its own, never a part of a line."""
    ahead = [f"--source={source}", f"--context={json.dumps(context.as_json())}"]
    if work == Work.PIPELINE:
        return [[*ahead, "pipeline", f"--output={out}"]]
    if work != Work.SECURITY:
        return _reported([*ahead, work], out)
    tests = [*ahead, "test", f"--categories={','.join(NIGHTLY_TESTS)}"]
    return [*_reported([*ahead, work, "--base=", f"--path={source}"], out), *_reported(tests, f"{out}/{NIGHTLY}")]


def uploads(context: Context, source: str, work: str, environ: Mapping[str, str]) -> list[list[str]]:
    """Where the vendor hands over Codecov's token, the call that sends it the coverage; never for a fork."""
    known = environ.get(_CODECOV) and context.trusted and context.repository and context.commit
    if not known or work not in (Work.PIPELINE, "test"):
        return []
    host = context.vendor if context.vendor in ("gitlab", "bitbucket") else "github"
    said = [f"--slug={context.repository}", f"--commit={context.commit}", f"--branch={context.branch or context.tag}"]
    given = [f"--source={source}", f"--context={json.dumps(context.as_json())}"]
    return [[*given, "codecov", f"--token=env://{_CODECOV}", *said, f"--service={host}"]]


def _reported(stage: list[str], folder: str) -> list[list[str]]:
    """A stage's report, then its verdict: one that fails must not hide what was found."""
    return [[*stage, "report", f"--output={folder}"], [*stage, "assert"]]


def _call(options: Options, words: list[str]) -> int:
    """In a process of its own: on a Dagger engine the call becomes the `dagger` command line."""
    path = f"{Path(_TOOLS).absolute()}{os.pathsep}{options.environ.get('PATH', os.defpath)}"
    command = [sys.executable, "-P", "-m", "sealane", "call", *words]
    sys.stdout.flush()
    environ = {**options.environ, "PATH": path, "SEALANE_ENGINE": options.engine}
    return subprocess.run(command, env=environ, check=False, stdin=subprocess.DEVNULL).returncode


def tell(guard: Guard, voice: Voice, options: Options, source: str, out: Path) -> None:
    """Say to the vendor what the report in `out` says; nothing where there is none."""
    from sealane.report.model import RunReport
    from sealane.vendors import gitlab_reports
    from sealane.vendors.results import notes

    if not (out / "run.json").is_file():
        return
    report = RunReport.model_validate_json((out / "run.json").read_text(encoding="utf-8"))
    if options.environ.get("GITLAB_CI") == "true":
        image = options.environ.get("CI_REGISTRY_IMAGE") or options.environ.get("CI_PROJECT_PATH", "")
        subject = gitlab_reports.Subject(source, options.environ.get("CI_COMMIT_SHA", ""), image)
        gitlab_reports.write(report, out, subject)
    if voice.note:
        shown: dict[str, int] = {}
        for note in notes(report, source):
            shown[note.level] = shown.get(note.level, 0) + 1
            if shown[note.level] <= voice.most:
                said = "\n".join(map(neutral, note.message[:4000].splitlines()))
                guard.say(voice.note(replace(note, title=neutral(note.title), message=said)))
    for line in voice.taken(out) if voice.taken else []:
        guard.say(line)
    summarise(voice, options, out / "summary.md")


def summarise(voice: Voice, options: Options, text: Path) -> None:
    """Add a summary to the vendor's own, where it has one. A vendor that can't take it changes no verdict."""
    if voice.annotated and text.is_file():
        try:
            with text.open("rb") as file:
                subprocess.run(voice.annotated(text.parent.name), stdin=file, env=dict(options.environ), check=False)
        except OSError as error:
            print(f"The summary could not be shown in the build: {error.strerror}: {error.filename}")
    summary = options.environ.get(voice.summary, "") if voice.summary else ""
    if summary and text.is_file():
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text.read_text(encoding="utf-8"))
