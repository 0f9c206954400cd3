"""The engine as a process: prints where its session is, and lives until its standard input ends.

    python -m sealane_engine --home DIR [--workdir DIR] [--events-fd N] [--backend launcher|runc] [--allow privileged]
                             [--lock MODE --lock-file FILE]

prints one line on standard output, `{"port": N, "session_token": "…"}`, as `dagger session` does. Events go to the
descriptor as lines of JSON. An error is one JSON line on standard error, `{"error", "reason", "hint"}`, and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shlex
import signal
import sys
from pathlib import Path

from sealane_engine.errors import EngineError
from sealane_engine.events import Event, Events
from sealane_engine.images.pins import MODES, Pins, read
from sealane_engine.oci.patience import SECONDS, VARIABLE

MAX_WAIT_SECONDS = 3600


def main() -> int:
    options = _arguments().parse_args()
    events = Events()
    if options.events_fd is not None:
        os.set_inheritable(options.events_fd, False)
        events.listen(EventWriter(options.events_fd))
    try:
        asyncio.run(_serve(options, events))
    except EngineError as error:
        told = {"error": error.message, "reason": error.reason, "hint": error.hint}
        sys.stderr.write(json.dumps(told) + "\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sealane_engine", description="Sealane's embedded engine.")
    parser.add_argument("--home", type=Path, required=True, help="where the store is")
    parser.add_argument("--workdir", type=Path, default=Path.cwd(), help="the client's working directory")
    parser.add_argument("--events-fd", type=int, help="a descriptor for events, one line of JSON each")
    parser.add_argument(
        "--backend", choices=("launcher", "runc"), default=os.environ.get("SEALANE_BACKEND", "launcher")
    )
    parser.add_argument(
        "--registry-wait",
        default=os.environ.get(VARIABLE, str(SECONDS)),
        type=_seconds,
        help=f"for how many seconds in all a busy registry is waited for when it asks for it ({VARIABLE})",
    )
    parser.add_argument("--lock", choices=MODES, default="disabled", help="what the lock file decides")
    parser.add_argument("--lock-file", type=Path, help="where base images are pinned")
    parser.add_argument(
        "--shell", default="", metavar="COMMAND", help="what runs at the client's terminal where a step has failed"
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        type=_grant,
        metavar="privileged|catalog:NAME",
        help="what steps may ask for; which images built here may be published",
    )
    return parser


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found <= MAX_WAIT_SECONDS:
        raise argparse.ArgumentTypeError(f"{VARIABLE}={text} is no number of seconds from 0 to {MAX_WAIT_SECONDS}")
    return found


def _grant(text: str) -> str:
    if text == "privileged" or (text.startswith("catalog:") and text != "catalog:"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r}: allow privileged, or catalog:NAME")


class EventWriter:
    """Writes events to a descriptor. A reader that has gone away is no reason to stop."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="replace")

    def __call__(self, event: Event) -> None:
        try:
            self._file.write(event.to_json() + "\n")
        except (BrokenPipeError, ValueError):
            return


async def _serve(options: argparse.Namespace, events: Events) -> None:
    from sealane_engine import confined
    from sealane_engine.preflight import check
    from sealane_engine.sandbox.ids import ROOT_RANGE, ROOTLESS_RANGE
    from sealane_engine.session import Options, open_engine

    check(options.home)
    rootless = not _maps_all_ids()
    if not rootless:
        await confined.check(options.home, ROOT_RANGE)
    settings = Options(
        home=options.home.absolute(),
        workdir=options.workdir.absolute(),
        backend=options.backend,
        grants=frozenset(options.allow),
        ids=ROOTLESS_RANGE if rootless else ROOT_RANGE,
        registry_wait=options.registry_wait,
        shell=tuple(shlex.split(options.shell)),
        pins=Pins(read(options.lock_file), options.lock) if options.lock_file else Pins(mode=options.lock),
    )
    async with open_engine(settings, events) as engine:
        gc.freeze()
        gc.enable()
        port = await engine.server.listen()
        sys.stdout.write(json.dumps({"port": port, "session_token": engine.main.token}) + "\n")
        sys.stdout.flush()
        await _until_told_to_end()


def _maps_all_ids() -> bool:
    """Whether this process is in the first user namespace: then its ids are the machine's own."""
    first = Path("/proc/self/uid_map").read_text().split()
    return first == ["0", "0", "4294967295"]


async def _until_told_to_end() -> None:
    """Until standard input ends, or a signal asks."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)

    def readable() -> None:
        try:
            data = os.read(0, 4096)
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(0)
            ended.set()

    try:
        loop.add_reader(0, readable)
    except PermissionError:  # a regular file or /dev/null: it ended before it began
        return
    await ended.wait()


if __name__ == "__main__":
    gc.disable()  # nothing of what is imported ever becomes garbage; `_serve` enables it
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is given back: taking the interpreter apart would only keep the client waiting
