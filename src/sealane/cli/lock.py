"""`sealane lock`: write down which digest each base image of the pipeline has, or say which have moved since."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

from sealane.cli import bases, own
from sealane.cli.engine import open_session
from sealane.cli.gates import read_config
from sealane.cli.options import Options, strip
from sealane.cli.progress import open_progress
from sealane.cli.wire import Session, literal
from sealane.errors import ConfigError, QueryFailed, SealaneError, UsageError
from sealane_engine.api.query import default_platform
from sealane_engine.errors import EngineError
from sealane_engine.images import pins

AT_ONCE = 4
WIDTH = 240
_PACKAGES = "/var/lib/dpkg/status"
_FIELD = re.compile(r"^(Package|Status|Version): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """What a base image is now. `packages` (name → version) are known of one that the catalog has built."""

    pin: pins.Pin
    packages: Mapping[str, str]


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    arguments = _parser().parse_args(words)
    if options.engine == "dagger" or options.environ.get("DAGGER_SESSION_PORT"):
        raise UsageError(
            "sealane lock asks an embedded engine of its own",
            reason="lock-engine",
            hint="Leave out --engine and DAGGER_SESSION_PORT. A Dagger engine keeps its own file: `dagger lock update`.",
        )
    path = own.project() / pins.FILE
    try:
        known = pins.parse(pins.read(path)) if path.exists() else pins.Lock()
        wanted = _wanted(arguments, known)
    except EngineError as error:
        raise ConfigError(error.message, reason=error.reason, hint=error.hint) from None
    found, failures = _resolve(options, sorted(wanted))
    made = _updated(known, found, kept=known.pins.keys() - found.keys())
    lines = _differences(known, made)
    print("\n".join(lines) if lines else f"{pins.FILE}: {len(made.pins)} base images, none has moved")
    if lines and not arguments.check:
        _write(path, made.text())
    if failures:  # what isn't pinned is refused by --locked: the others are worth writing
        said = (f"{ref} ({platform}): {shorten(str(why), WIDTH)}" for (ref, platform), why in failures.items())
        raise SealaneError("\n".join(["base images can't be had now:", *said]), reason="lock-incomplete")
    if lines and arguments.check:
        raise SealaneError(f"{pins.FILE} is not what there is now", reason="lock-moved", hint="Take it: sealane lock")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "sealane lock",
        description="Pin the base images of the pipeline in sealane.lock: those of the configuration, the Dockerfile and"
        " the module, and those that are pinned already.",
    )
    parser.add_argument("ref", nargs="*", help="pin these alone, and leave the others as they are")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when something has moved")
    parser.add_argument(
        "--platform", action="append", metavar="OS/ARCH", help="for which platforms REF is pinned (default: this one)"
    )
    return parser


def _wanted(arguments: argparse.Namespace, known: pins.Lock) -> set[bases.Base]:
    if arguments.ref:
        return bases.named(arguments.ref, arguments.platform or [default_platform()])
    if arguments.platform:
        raise UsageError("--platform goes with REF", reason="usage", hint="Others are pinned for `build.platforms`.")
    project = own.project()
    return bases.used(project, read_config(project)) | known.pins.keys()


def _resolve(
    options: Options, wanted: list[bases.Base]
) -> tuple[dict[bases.Base, Found], dict[bases.Base, BaseException]]:
    """Ask what each is now; of those that can't be had, why."""
    progress = open_progress(options)
    try:
        with open_session(replace(options, lock="live", locked=False), progress) as opened:
            answers, failures = _ask(opened.session, wanted, "imageRef")
        built = {event["digest"] for event in opened.events if event.get("kind") == "image" and event.get("catalog")}
        refs = {base: str(answer["imageRef"]) for base, answer in answers.items()}
        digests = {base: ref.partition("@")[2] for base, ref in refs.items()}
        packages: dict[bases.Base, dict[str, str]] = {}
        if built:  # which of them are, is known when the session has ended
            with open_session(replace(options, lock="disabled", locked=False), progress) as opened:
                theirs = {(ref, base[1]): base for base, ref in refs.items() if digests[base] in built}
                answers, _ = _ask(opened.session, list(theirs), f"file(path:{literal(_PACKAGES)}){{contents}}")
                packages = {theirs[base]: _installed(answer["file"]["contents"]) for base, answer in answers.items()}
    finally:
        progress.close()
    found = {base: Found(pins.Pin(d, d in built), packages.get(base, {})) for base, d in digests.items()}
    return found, failures


def _ask(
    session: Session, wanted: list[bases.Base], what: str
) -> tuple[dict[bases.Base, dict[str, Any]], dict[bases.Base, BaseException]]:
    """What the containers of images answer to a selection; and the errors, by the image."""

    def one(base: bases.Base) -> dict[str, Any]:
        ref, platform = map(literal, base)
        data = session.query(f"query{{container(platform:{platform}){{from(address:{ref}){{{what}}}}}}}")
        answer: dict[str, Any] = data["container"]["from"]
        return answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {base: pool.submit(one, base) for base in wanted}
    failures = {base: error for base, each in asked.items() if (error := each.exception()) is not None}
    if unexpected := [error for error in failures.values() if not isinstance(error, QueryFailed)]:
        raise unexpected[0]
    return {base: each.result() for base, each in asked.items() if base not in failures}, failures


def _installed(status: str) -> dict[str, str]:
    """The packages of dpkg's status file, with their versions."""
    blocks = (dict(_FIELD.findall(block)) for block in status.split("\n\n"))
    return {b["Package"]: b["Version"] for b in blocks if b.get("Status", "").endswith(" installed")}


def _updated(known: pins.Lock, found: Mapping[bases.Base, Found], *, kept: Collection[bases.Base]) -> pins.Lock:
    """The lock with what was found, and of what was known the pins of `kept`."""
    tables: dict[bool, dict[str, dict[str, str]]] = {False: {}, True: {}}
    every = {base: known.pins[base] for base in kept} | {base: each.pin for base, each in found.items()}
    for (ref, platform), pin in every.items():
        tables[pin.catalog].setdefault(platform, {})[ref] = pin.digest
    versions: dict[str, dict[str, set[str]]] = {}
    for (_, platform), each in found.items():
        for name, version in each.packages.items():
            versions.setdefault(platform, {}).setdefault(name, set()).add(version)
    packages = {platform: {n: ", ".join(sorted(v)) for n, v in table.items()} for platform, table in versions.items()}
    if any(known.pins[base].catalog for base in kept):  # what was known is theirs, too
        packages = {p: {**known.packages.get(p, {}), **packages.get(p, {})} for p in {*known.packages, *packages}}
    return pins.Lock(tables[False], tables[True], packages)


def _differences(old: pins.Lock, new: pins.Lock) -> list[str]:
    """A line for each pin and package that isn't what it was."""
    lines = []
    before, after = old.pins, new.pins
    for ref, platform in sorted({*before, *after}):
        was, now = before.get((ref, platform)), after.get((ref, platform))
        if was != now:
            lines.append(f"{ref} ({platform}): {_shown(was)} → {_shown(now)}")
    for platform in sorted({*old.packages, *new.packages}):
        had, has = old.packages.get(platform, {}), new.packages.get(platform, {})
        changed = [name for name in sorted({*had, *has}) if had.get(name) != has.get(name)] if had else []
        lines += [f"  {name} ({platform}): {had.get(name, 'none')} → {has.get(name, 'none')}" for name in changed]
    return lines


def _shown(pin: pins.Pin | None) -> str:
    if pin is None:
        return "not pinned"
    return f"{pin.digest} (catalog)" if pin.catalog else pin.digest


def _write(path: Path, text: str) -> None:
    """Put the new file in the old one's place, whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise SealaneError(f"{path} can't be written: {error.strerror}", reason="lock-not-written") from None
