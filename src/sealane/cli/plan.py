"""`sealane plan`: which stages would run, with what, and why each part is in or out. Runs nothing, starts no engine."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli import folder
from sealane.cli.options import Options, strip

if TYPE_CHECKING:
    from sealane.plan import Plan, Planned


def run(options: Options, words: list[str]) -> int:
    _, words = strip(options, words)
    parser = argparse.ArgumentParser(
        "sealane plan",
        description="Show which stages would run, with what, and why each part is in or out. Runs nothing.",
    )
    parser.add_argument("--source", type=Path, metavar="DIR", help="the project (default: the one around this folder)")
    parser.add_argument(
        "--categories", default="", metavar="NAMES", help="the tests that are asked for, as of `pipeline`"
    )
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")
    arguments = parser.parse_args(words)
    from sealane import plan

    path = folder.chosen(arguments.source)
    categories = [name for name in arguments.categories.split(",") if name]
    project = folder.read(path)
    found = asyncio.run(plan.of(replace(project, config=project.config.with_categories(categories))))
    if arguments.json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(_text(path, found))
    return 0


def _text(path: Path, plan: Plan) -> str:
    gates = "".join(f"    {name}\n" for name in plan.gates)
    return f"{path}\n" + "".join(map(_stage, plan.stages)) + f"\ngates\n{gates}"


def _stage(stage: Planned) -> str:
    """A stage's line, then one for each part: ✔ in, ○ out."""
    facts = [stage.verdict, *([f"on {stage.image}"] if stage.image else [])]
    facts += [f"after {', '.join(stage.needs)}"] if stage.needs else []
    width = max((len(part.name) for part in stage.parts), default=0)
    lines = [f"  {'✔' if part.runs else '○'} {part.name:<{width}}  {part.says}".rstrip() for part in stage.parts]
    return "\n".join(["", f"{stage.name}: {', '.join(facts)}", *lines]) + "\n"
