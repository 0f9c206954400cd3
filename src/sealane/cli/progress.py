"""What is shown while something runs: nothing, plain lines as Dagger's, or a live view on a terminal.

All of it goes to stderr. `span` is for what the command line itself does, `event` for what the engine says.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from sealane.cli.events import Event
    from sealane.cli.options import Options


class Progress(Protocol):
    """A way to show progress. `close` leaves the screen in order; it may be called twice."""

    shows_failures: bool  # whether a failed step's output has been shown already

    def span(self, name: str) -> contextlib.AbstractContextManager[None]: ...

    def event(self, event: Event) -> None: ...

    def close(self) -> None: ...


def open_progress(options: Options) -> Progress:
    """The progress that the options and the terminal ask for."""
    on_terminal = sys.stderr.isatty()
    wanted = options.progress
    if wanted == "auto":
        wanted = "tty" if on_terminal or sys.stdout.isatty() else "plain"
    if options.silent:
        return Silent()
    if wanted == "tty":
        if not on_terminal:
            return Plain(sys.stderr, quiet=options.quiet)
        from sealane.cli.live import Live

        return Live()
    return Plain(sys.stderr, quiet=options.quiet, logs=wanted != "dots")


class Silent:
    """Shows nothing."""

    shows_failures = False

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:  # noqa: ARG002
        yield

    def event(self, event: Event) -> None:
        if event.get("kind") == "terminal" and (why := lent(event)):
            print(why, file=sys.stderr)

    def close(self) -> None:
        pass


class Plain:
    """One line when something starts, one when it ends, its output between them: `5   : withExec ls DONE [0.1s]`."""

    shows_failures = False

    def __init__(self, stream: TextIO, *, quiet: int = 0, logs: bool = True) -> None:
        self._stream = stream
        self._quiet = quiet
        self._logs = logs
        self._lock = threading.Lock()
        self._count = 0
        self._last = 0
        self._steps: dict[str, tuple[int, str, float]] = {}
        self._unfinished: dict[str, str] = {}
        self._known: set[str] = set()

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        with self._lock:
            number = self._number()
            self._line(number, name)
        try:
            yield
        except BaseException:
            with self._lock:
                self._line(number, f"{name} ERROR [{time.monotonic() - began:.1f}s]")
            raise
        with self._lock:
            self._line(number, f"{name} DONE [{time.monotonic() - began:.1f}s]")

    def event(self, event: Event) -> None:
        with self._lock:
            self._show(event)
            self._stream.flush()

    def close(self) -> None:
        with self._lock:
            self._stream.flush()

    def _show(self, event: Event) -> None:
        kind, key = event.get("kind"), str(event.get("key", ""))
        if kind == "step-start":
            self._known.add(key)
            number, name = self._number(), titled(event)
            self._steps[key] = (number, name, time.monotonic())
            self._line(number, name)
        elif kind == "step-end":
            self._end_of_log(key)
            known = self._steps.pop(key, None)
            number, name, began = known or (self._number(), titled(event), time.monotonic())
            seconds = event.get("seconds")
            took = float(seconds) if seconds is not None else time.monotonic() - began
            self._line(number, f"{name} {'ERROR' if failed(event) else 'DONE'} [{took:.1f}s]")
            if failed(event):
                self._line(number, f"! {event.get('error') or 'exit code: ' + str(event.get('exit_code'))}")
        elif kind == "terminal" and (why := lent(event)):
            self._line(self._number(), why)
        elif kind == "service-start":
            number, name = self._number(), f"service {titled(event)}"
            self._steps[key] = (number, name, time.monotonic())
            self._line(number, f"{name}: {event.get('command', '')}")
        elif kind == "service-ready" and key in self._steps:
            number, name, _ = self._steps[key]
            self._line(number, f"{name} READY [{float(event.get('seconds') or 0):.1f}s]")
        elif kind == "log" and self._logs and not self._quiet:
            self._log(event, key)
        elif kind == "cache" and event.get("verdict") == "hit" and key not in self._known:
            self._known.add(key)
            self._line(self._number(), f"{titled(event)} CACHED [0.0s]")
        elif kind == "warning":
            self._line(self._number(), f"warning: {event.get('message')}")

    def _log(self, event: Event, key: str) -> None:
        text = self._unfinished.pop(key, "") + str(event.get("text", ""))
        *lines, rest = text.split("\n")
        if rest:
            self._unfinished[key] = rest
        for line in lines:
            self._log_line(key, line)

    def _end_of_log(self, key: str) -> None:
        rest = self._unfinished.pop(key, "")
        if rest:
            self._log_line(key, rest)

    def _log_line(self, key: str, line: str) -> None:
        number, _, began = self._steps.get(key, (self._last or 1, "", time.monotonic()))
        self._line(number, f"[{time.monotonic() - began:.1f}s] | {line}")

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _line(self, number: int, text: str) -> None:
        if self._last not in (0, number):
            self._stream.write("\n")
        self._last = number
        self._stream.write(f"{number:<4}: {text}\n")


def titled(event: dict[str, Any]) -> str:
    """How a step is named: its stage, when it has one, and what it does."""
    stage = (event.get("labels") or {}).get("sealane.stage")
    name = str(event.get("name") or "step")
    return f"[{stage}] {name}" if stage else name


def lent(event: Event) -> str:
    """Why a command gets the terminal, where it is not what was asked for."""
    why = str(event.get("why", ""))
    return f"{why}: a shell in what it has left; leave it (exit) to go on" if why and event.get("open") else ""


def failed(event: dict[str, Any]) -> bool:
    """Whether a step-end is a failure: an error, which a tolerated exit code is not."""
    return bool(event.get("error"))
