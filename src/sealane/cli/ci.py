"""`sealane ci`: the wrappers of CI vendors, and what they call."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli.options import Options, strip
from sealane.errors import SealaneError

if TYPE_CHECKING:
    from sealane.config import Config
    from sealane.vendors.model import Context
    from sealane.vendors.rules import Work


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    arguments = _parser().parse_args(words)
    if arguments.verb == "run":
        return _run(options, arguments.work or "")
    if arguments.verb == "generate":
        return _generate(arguments.vendor, overwrite=arguments.overwrite)
    return _check()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sealane ci", description="A thin wrapper for each CI vendor.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="generate | check | run")
    generate = verbs.add_parser("generate", help="write a vendor's wrapper")
    generate.add_argument("vendor")
    generate.add_argument("--overwrite", action="store_true", help="though the file was changed by hand")
    verbs.add_parser("check", help="fail if a wrapper is not what would be generated")
    running = verbs.add_parser("run", help="what a wrapper calls: run what this event is for")
    running.add_argument("work", nargs="?", choices=("pipeline", "security"), help="this, whatever the event")
    return parser


def _config() -> Config:
    from sealane.config.read import parse

    texts = [path.read_text(encoding="utf-8") if path.is_file() else None for path in _files()]
    return parse(*texts)


def _files() -> tuple[Path, Path]:
    return Path("pyproject.toml"), Path("sealane.toml")


def _generate(vendor: str, *, overwrite: bool) -> int:
    from sealane.vendors.render import render

    made = render(vendor, _config().ci)
    changed = {path: text for path, text in made.items() if _there(path) not in (None, text)}
    if changed and not overwrite:
        sys.stdout.write("".join(map(_difference, changed, changed.values())))
        raise SealaneError(
            f"{', '.join(changed)} would lose what it has now",
            reason="changed-by-hand",
            hint="Put the change into [tool.sealane.ci], or take what is generated with --overwrite.",
        )
    for path, text in made.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        print(path)
    return 0


def _check() -> int:
    from sealane.vendors.render import FILES, render

    config = _config().ci
    made = {p: text for vendor in FILES for p, text in render(vendor, config).items() if _there(p) is not None}
    drifted = {path: text for path, text in made.items() if _there(path) != text}
    sys.stdout.write("".join(map(_difference, drifted, drifted.values())))
    if drifted:
        raise SealaneError(
            f"{len(drifted)} of {len(made)} wrappers are not what would be generated: {', '.join(drifted)}",
            reason="wrapper-drift",
            hint="`sealane ci generate VENDOR --overwrite` writes them anew.",
        )
    print(f"{len(made)} wrappers are as generated.")
    return 0


def _there(path: str) -> str | None:
    return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else None


def _difference(path: str, text: str) -> str:
    now = (_there(path) or "").splitlines(keepends=True)
    return "".join(difflib.unified_diff(now, text.splitlines(keepends=True), path, f"{path} (generated)"))


def _run(options: Options, asked: str) -> int:
    from sealane.cli.guard import Guard

    with Guard():
        try:
            return _guarded(options, asked)
        except SealaneError as error:  # its words may be a step's, or a branch's
            print(f"Error: {error}", file=sys.stderr)
            return error.exit_code


def _guarded(options: Options, asked: str) -> int:
    from sealane.cli import call
    from sealane.vendors.context import read
    from sealane.vendors.rules import work_for

    context, config = read(options.environ), _config().ci
    work = work_for(context, config, asked)
    if work is None:
        where = context.base or context.branch
        print(f"Nothing runs for a {context.event} on {where} (ci.branches and ci.base in [tool.sealane]).")
        return 0
    try:
        return max(call.run(options, words) for words in _calls(context, config.source, work))
    finally:
        if context.vendor == "github":
            _summary(options.environ.get("GITHUB_STEP_SUMMARY", ""))


def _calls(context: Context, source: str, work: Work) -> list[list[str]]:
    """What `sealane call` is told; what comes from outside is an argument of its own, never a part of a line."""
    from sealane.vendors.rules import Work

    ahead = [f"--source={source}", f"--context={json.dumps(context.as_json())}"]
    if work is Work.SECURITY:  # the report first: a verdict that fails must not hide it
        security = [*ahead, "security", "--base=", f"--path={source}"]
        return [[*security, "report", "--output=out"], [*security, "assert"]]
    return [[*ahead, "pipeline", "--output=out"]]


def _summary(path: str) -> None:
    if path and Path("out/summary.md").is_file():
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(Path("out/summary.md").read_text(encoding="utf-8"))
