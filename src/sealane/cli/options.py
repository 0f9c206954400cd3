"""Options that every verb knows, wherever they stand among its words."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field, replace

from sealane.errors import UsageError

ENGINES = ("embedded", "dagger")
LOCK = ("disabled", "live", "pinned", "frozen")
WRAPPERS = ("docker", "kubernetes")  # what `ci generate` knows beside: a Dagger engine, and where it runs
LOCKED = "--locked"
PROGRESS = ("auto", "plain", "tty", "dots", "logs", "report")

GLOBAL_FLAGS = (
    # name, shorthand, kind as help shows it, usage, default as help shows it; empty usage: accepted, without effect
    ("auto-apply", "y", "bool", "Automatically apply changes when a changeset is returned", ""),
    ("debug", "d", "bool", "Show debug logs and full verbosity", ""),
    ("engine", "", "string", "Engine to run on (embedded, dagger)", '"embedded"'),
    ("interactive", "i", "bool", "Spawn a terminal on container exec failure", ""),
    ("interactive-command", "", "string", "Change the default command for interactive mode", '"/bin/sh"'),
    (
        "lock",
        "",
        "string",
        "What sealane.lock decides (disabled, live, pinned, frozen; --locked is frozen)",
        '"pinned"',
    ),
    ("no-exit", "E", "bool", "", ""),
    ("progress", "", "string", "Progress output format (auto, plain, tty, dots, logs)", '"auto"'),
    ("quiet", "q", "count", "Reduce verbosity (show progress, but clean up at the end)", ""),
    ("silent", "s", "bool", "Do not show progress at all", ""),
    ("verbose", "v", "count", "Increase verbosity (use -vv or -vvv for more)", ""),
    ("web", "w", "bool", "", ""),
    ("workdir", "", "string", "Set the working directory", '"."'),
    ("x-release", "", "string", "", ""),
)

_VALUES = {
    "--progress": "progress",
    "--workdir": "workdir",
    "--engine": "engine",
    "--lock": "lock",
    "--interactive-command": "interactive_command",
    "--x-release": "",
}
_COUNTS = {"-v": "verbose", "--verbose": "verbose", "-q": "quiet", "--quiet": "quiet"}
_BOOLS = {
    "-s": "silent",
    "--silent": "silent",
    "-d": "debug",
    "--debug": "debug",
    "-y": "auto_apply",
    "--auto-apply": "auto_apply",
    "-i": "interactive",
    "--interactive": "interactive",
    "-w": "",
    "--web": "",
    "-E": "",
    "--no-exit": "",
    LOCKED: "locked",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for a whole invocation. `mod` and `output` are options of call, functions and check."""

    progress: str = "auto"
    workdir: str = "."
    engine: str = "embedded"
    verbose: int = 0
    quiet: int = 0
    silent: bool = False
    debug: bool = False
    auto_apply: bool = False
    interactive: bool = False
    interactive_command: str = "/bin/sh"
    lock: str = ""
    locked: bool = False
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def lock_mode(self) -> str:
        """One of LOCK, or empty: what is pinned is used."""
        return "frozen" if self.locked else self.lock


def from_environment(environ: dict[str, str]) -> Options:
    """Defaults from SEALANE_ENGINE, SEALANE_LOCK, DAGGER_PROGRESS, DAGGER_SILENT and DAGGER_QUIET."""
    return _checked(
        Options(
            progress=environ.get("DAGGER_PROGRESS") or "auto",
            engine=environ.get("SEALANE_ENGINE") or "embedded",
            lock=environ.get("SEALANE_LOCK") or "",
            silent=environ.get("DAGGER_SILENT", "").lower() in ("1", "t", "true"),
            quiet=int(environ["DAGGER_QUIET"]) if environ.get("DAGGER_QUIET", "").isdigit() else 0,
            environ=environ,
        )
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A global option recognised at the head of some words: how many words it is, and the options with it."""

    words: int
    options: Options


def take(options: Options, words: list[str]) -> Taken | None:
    """Read the global option that `words` begin with; None when they begin with something else."""
    name, equals, value = words[0].partition("=")
    if name in _VALUES:
        if not equals:
            if len(words) < 2:
                raise UsageError(f"flag needs an argument: {name}", reason="flag-needs-argument")
            value = words[1]
        changes = {_VALUES[name]: value} if _VALUES[name] else {}
        return Taken(1 if equals else 2, _checked(replace(options, **changes)))  # type: ignore[arg-type]
    if name in _BOOLS:
        on = not equals or value.lower() in ("1", "t", "true")
        changed = {_BOOLS[name]: on} if _BOOLS[name] else {}
        return Taken(1, replace(options, **changed))  # type: ignore[arg-type]
    if name in _COUNTS and not equals:
        attribute = _COUNTS[name]
        return Taken(1, replace(options, **{attribute: getattr(options, attribute) + 1}))
    if len(name) > 2 and name[0] == "-" and set(name[1:]) in ({"v"}, {"q"}):
        attribute = _COUNTS[name[:2]]
        return Taken(1, replace(options, **{attribute: getattr(options, attribute) + len(name) - 1}))
    return None


def head(options: Options, words: list[str]) -> tuple[Options, list[str]]:
    """Take the global options that stand before the verb."""
    while words:
        taken = take(options, words)
        if taken is None:
            break
        options, words = taken.options, words[taken.words :]
    return options, words


def scan(options: Options, words: list[str]) -> Options:
    """Read the global options among a verb's words, which stay as they are: they may be a value of another flag.

    LOCKED is none there: Dagger doesn't know it, so it is a function's own.
    """
    position = 0
    while position < len(words) and words[position] != "--":
        taken = take(options, words[position:])
        if taken is not None and words[position] != LOCKED:
            options = taken.options
        position += taken.words if taken else 1
    return options


def strip(options: Options, words: list[str]) -> tuple[Options, list[str]]:
    """Take global options out of a verb's words, wherever they stand before a `--`."""
    rest: list[str] = []
    while words and words[0] != "--":
        taken = take(options, words)
        if taken is None:
            rest.append(words[0])
            words = words[1:]
        else:
            options, words = taken.options, words[taken.words :]
    return options, rest + words


def _checked(options: Options) -> Options:
    if options.engine not in ENGINES + WRAPPERS:
        raise UsageError(f'unknown engine "{options.engine}"', reason="unknown-engine", hint="Use embedded or dagger.")
    if options.lock and options.lock not in LOCK:
        raise UsageError(f'unknown lock mode "{options.lock}"', reason="unknown-lock", hint=f"Use {', '.join(LOCK)}.")
    if options.progress not in PROGRESS:
        raise UsageError(f'unknown progress type "{options.progress}"', reason="unknown-progress")
    try:
        shlex.split(options.interactive_command)
    except ValueError as error:
        raise UsageError(f"cannot parse interactive command: {error}", reason="bad-interactive-command") from None
    return options
