"""The same words on a Dagger engine: handed to the real `dagger` command line."""

from __future__ import annotations

import subprocess
import sys

from sealane.cli.engine import dagger_command, exec_dagger
from sealane.cli.head import read_head
from sealane.cli.options import Options
from sealane.cli.pipeline import OUT

RUN = "run"
"""What a module calls its `pipeline` for Dagger 0.21, whose command line hides a function of that name on Query."""


def call(options: Options, words: list[str]) -> int:
    """`dagger call`; for a pipeline with a report, that too."""
    words = without_engine(words)
    position = pipeline_at(words)
    if position is None or read_head(words).help:
        exec_dagger(["call", *given(options), *words], options.environ)
    dagger = dagger_command(options.environ)
    out, plain = without_output(words)
    report = [*plain]
    at = pipeline_at(plain) or 0
    report[at], plain[at] = "report", RUN
    head = [dagger, "call", *given(options)]
    code = subprocess.run([*head, *plain], env=options.environ, check=False).returncode
    if code == 2:
        return code
    exported = subprocess.run([*head, *report, "-o", out], env=options.environ, check=False).returncode
    if exported:
        print("No report was written: the module's `report` could not be called.", file=sys.stderr)
    return code


def verb(options: Options, words: list[str]) -> int:
    """Any other verb that dagger has under the same name."""
    exec_dagger([words[0], *given(options), *without_engine(words[1:])], options.environ)


def given(options: Options) -> list[str]:
    """The global options that stood before the verb, as dagger takes them after it."""
    words = [] if options.progress == "auto" else ["--progress", options.progress]
    words += ["--lock", options.lock_mode] if options.lock_mode else []
    words += ["--auto-apply"] if options.auto_apply else []
    return words + (["--silent"] if options.silent else [])


def without_engine(words: list[str]) -> list[str]:
    """Our own option taken out."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "--engine":
            skip = True
        elif not word.startswith("--engine="):
            kept.append(word)
    return kept


def pipeline_at(words: list[str]) -> int | None:
    """Where the function `pipeline` stands, if it is what is called (the value of a flag before it is not)."""
    return next(
        (
            index
            for index, word in enumerate(words)
            if word == "pipeline" and (index == 0 or not words[index - 1].startswith("-") or "=" in words[index - 1])
        ),
        None,
    )


def without_output(words: list[str]) -> tuple[str, list[str]]:
    """Take -o out; the answer's first part is where the report goes."""
    out, kept, position = OUT, [], 0
    while position < len(words):
        word = words[position]
        if word in ("-o", "--output") and position + 1 < len(words):
            out, position = words[position + 1], position + 2
        elif word.startswith("--output="):
            out, position = word.partition("=")[2], position + 1
        else:
            kept.append(word)
            position += 1
    return out, kept
