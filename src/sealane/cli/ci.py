"""`sealane ci`: the wrappers of CI vendors, and what they call."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli.options import Options, strip
from sealane.errors import SealaneError
from sealane.vendors.shape import Shape

if TYPE_CHECKING:
    from sealane.config import Config


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    arguments = _parser().parse_args(words)
    if arguments.verb == "run":
        return _run(options, arguments.work or "", arguments.only or options.environ.get("SEALANE_ONLY", ""))
    if arguments.verb == "generate":
        shape = Shape(arguments.split, arguments.matrix, "docker" if options.engine == "dagger" else options.engine)
        return _generate(arguments.vendor, shape, overwrite=arguments.overwrite)
    return _check()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sealane ci", description="A thin wrapper for each CI vendor.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="generate | check | run")
    generate = verbs.add_parser("generate", help="write a vendor's wrapper")
    generate.add_argument("vendor")
    generate.add_argument("--split", action="store_true", help="one job per stage, each after those it needs")
    generate.add_argument("--matrix", action="store_true", help="the tests on each system (GitHub)")
    generate.add_argument("--overwrite", action="store_true", help="though the file was changed by hand")
    verbs.add_parser("check", help="fail if a wrapper is not what would be generated")
    running = verbs.add_parser("run", help="what a wrapper calls: run what this event is for")
    running.add_argument("work", nargs="?", choices=("pipeline", "security"), help="this, whatever the event")
    running.add_argument(
        "--only",
        metavar="STAGE",
        help="this stage alone, if the event is for it; or security, gates, deploy-ENVIRONMENT",
    )
    return parser


def _config() -> Config:
    from sealane.config.read import parse

    texts = [path.read_text(encoding="utf-8") if path.is_file() else None for path in _files()]
    return parse(*texts)


def _files() -> tuple[Path, Path]:
    return Path("pyproject.toml"), Path("sealane.toml")


def _generate(vendor: str, shape: Shape, *, overwrite: bool) -> int:
    from sealane.vendors.render import render

    made = render(vendor, _config().ci, shape)
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
    from sealane.vendors.render import FILES, render, shape_of

    config = _config().ci
    shapes = {v: shape_of(text) for v, files in FILES.items() for path in files if (text := _there(path)) is not None}
    made = {
        path: text
        for vendor, shape in shapes.items()
        for path, text in render(vendor, config, shape).items()
        if _there(path) is not None
    }
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


def _run(options: Options, asked: str, only: str) -> int:
    from sealane.cli.guard import Guard
    from sealane.cli.vendor_run import run_here

    with Guard() as guard:
        try:
            return run_here(options, guard, _config().ci, asked=asked, only=only)
        except SealaneError as error:  # its words may be a step's, or a branch's
            print(f"Error: {error}", file=sys.stderr)
            return error.exit_code
