"""`sealane cache`: what the engine keeps on disk: list, forget, prune, how much; to another machine and from there."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane.cli.engine import home
from sealane.cli.options import Options, strip
from sealane.errors import SealaneError, UsageError

if TYPE_CHECKING:
    from sealane_engine.store.store import Store

_FILES = ("prune", "export", "import")  # the verbs that touch layers' files
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def run(options: Options, words: list[str]) -> int:
    options, words = strip(options, words)
    arguments = _parser().parse_args(words)
    if arguments.verb in _FILES and os.geteuid() != 0:
        from sealane.cli.rootless import run_inside

        # its layers belong to the user's subordinate ids: only inside their namespace may they be made, read or deleted
        environ = {**options.environ, "SEALANE_HOME": str(home(options.environ))}
        return run_inside([sys.executable, "-P", "-m", "sealane", "cache", *words], environ)
    if arguments.verb == "import":
        home(options.environ).mkdir(parents=True, exist_ok=True)
    store = _open(options)
    try:
        verbs = {"ls": _ls, "rm": _rm, "prune": _prune, "du": _du, "export": _export, "import": _import}
        return verbs[arguments.verb](store, arguments)
    finally:
        store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sealane cache", description="What the engine keeps on disk.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="ls | rm | prune | du | export | import")
    listing = verbs.add_parser("ls", help="list the results, newest first")
    listing.add_argument("-n", type=int, default=50, help="how many (0: all)")
    listing.add_argument("-j", "--json", action="store_true", help="as JSON")
    removal = verbs.add_parser("rm", help="forget results, so that their steps run again")
    removal.add_argument("key", nargs="+", help="a key or the beginning of one, as ls shows it")
    pruning = verbs.add_parser("prune", help="delete what nothing uses")
    pruning.add_argument(
        "--keep", default="0", metavar="SIZE", help="keep this much of the most recently used, e.g. 10G"
    )
    pruning.add_argument("--volumes", action="store_true", help="cache volumes too")
    verbs.add_parser("du", help="how much there is")
    exporting = verbs.add_parser("export", help="write results to a folder, for another machine")
    exporting.add_argument("folder", type=Path)
    exporting.add_argument(
        "--limit", default="900M", metavar="SIZE", help="at most this much, most recently used first (900M)"
    )
    importing = verbs.add_parser("import", help="take in what export wrote; a folder with a fault is deleted")
    importing.add_argument("folder", type=Path)
    return parser


def _open(options: Options) -> Store:
    from sealane_engine.sandbox.ids import ROOT_RANGE, ROOTLESS_RANGE
    from sealane_engine.store.store import Store

    where = home(options.environ)
    if not where.is_dir():
        raise SealaneError(f"there is no store at {where} yet", reason="no-store", hint="Run something first.")
    first_namespace = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    return Store.open(where, ROOT_RANGE if os.geteuid() == 0 and first_namespace else ROOTLESS_RANGE)


def _ls(store: Store, arguments: argparse.Namespace) -> int:
    rows = []
    for result in store.results():
        rows.append(result)
        if arguments.n and len(rows) == arguments.n:
            break
    if arguments.json:
        listed = [
            {"key": each.key, "kind": each.kind, "created": each.created, "layers": list(each.layers)} for each in rows
        ]
        print(json.dumps(listed, indent=4))
        return 0
    for result in rows:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(result.created))
        print(f"{_short(result.key)}   {when}   {result.kind:<10}   {_what(store.inputs(result.key))}".rstrip())
    return 0


def _rm(store: Store, arguments: argparse.Namespace) -> int:
    forgotten = 0
    for key in arguments.key:
        found = sum(store.forget(prefix) for prefix in {key, f"sha256:{key.removeprefix('sha256:')}"})
        if not found:
            raise SealaneError(f'no result has a key that begins with "{key}"', reason="no-such-key")
        forgotten += found
    print(f"Forgot {forgotten} result{'s' if forgotten != 1 else ''}.")
    return 0


def _prune(store: Store, arguments: argparse.Namespace) -> int:
    pruned = store.prune(keep_bytes=size(arguments.keep), cache_volumes=arguments.volumes)
    print(
        f"Deleted {pruned.results} results, {pruned.layers} layers, {pruned.blobs} blobs, {pruned.volumes} volumes:"
        f" {human(pruned.bytes)} freed."
    )
    return 0


def _du(store: Store, _: argparse.Namespace) -> int:
    usage = store.usage()
    entries = usage if isinstance(usage, dict) else {name: getattr(usage, name) for name in usage.__slots__}
    for name, value in entries.items():
        print(f"{name.replace('_', ' '):<12} {human(value) if 'bytes' in name else value}")
    return 0


def _export(store: Store, arguments: argparse.Namespace) -> int:
    from sealane_engine.transfer.export import export

    with _told():
        done = export(store, arguments.folder, size(arguments.limit))
    left = f"; {done.left_out} did not fit or can't go" if done.left_out else ""
    print(f"Exported {done.results} results to {arguments.folder}, {human(done.bytes)}{left}.")
    return 0


def _import(store: Store, arguments: argparse.Namespace) -> int:
    from sealane_engine.transfer.restore import restore

    with _told():
        done = restore(store, arguments.folder)
    if done is None:
        print(f"There is no exported cache in {arguments.folder}.")
    else:
        print(f"Imported {done.results} results in {done.layers} new layers, {human(done.bytes)} read.")
    return 0


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """The engine's errors as the command line's."""
    from sealane_engine.errors import EngineError

    try:
        yield
    except EngineError as error:
        raise SealaneError(error.message, reason=error.reason, hint=error.hint) from error


def size(text: str) -> int:
    """`10G`, `500MiB`, `0` → bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise UsageError(f'"{text}" is not a size', reason="bad-size", hint="Write it like 10G, 500MiB or 0.")
    return int(float(found[1]) * _UNITS[found[2]])


def human(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _short(key: str) -> str:
    return key.removeprefix("sha256:")[:12]


def _what(inputs: Any) -> str:
    if not isinstance(inputs, dict):
        return ""
    for name in ("args", "ref", "path", "function", "action"):
        if inputs.get(name):
            value = inputs[name]
            return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return ""
