"""`sealane context`: why this run was started and on what, as Sealane understands the vendor's environment."""

from __future__ import annotations

import argparse
import json

from sealane.cli.options import Options, strip
from sealane.vendors.context import read


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    parser = argparse.ArgumentParser("sealane context", description="Show why this run was started, and on what.")
    parser.add_argument("-j", "--json", action="store_true", help="as JSON")
    arguments = parser.parse_args(words)
    rows = read(options.environ).as_json()
    if arguments.json:
        print(json.dumps(rows, indent=4))
        return 0
    for name, value in rows.items():
        if value or name in ("event", "fork"):
            # a message's lines stay one value, and no character of it reaches a terminal as a command
            print(f"{name.replace('_', ' '):<14} {value if isinstance(value, bool | int) else plain(value)}")
    return 0


def plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={plain(each)}" for key, each in value.items())
    text = str(value)
    return text if text.isprintable() else json.dumps(text, ensure_ascii=True)
