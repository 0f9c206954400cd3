"""Where a session comes from: the one in the environment, or an embedded engine that is started and ended here."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sealane.cli.telemetry import exporter
from sealane.errors import EngineUnavailable, HostLacks, UsageError

if TYPE_CHECKING:
    from sealane.cli.events import Event
    from sealane.cli.options import Options
    from sealane.cli.otlp import Exporter
    from sealane.cli.progress import Progress
    from sealane.cli.wire import Session

OLDEST_KERNEL = (6, 1)
OTHER_ENGINE = "Or run on a Dagger engine: install the dagger command line and use --engine dagger."
_END_SECONDS = 20


@dataclass(slots=True)
class Opened:
    """A session in use. `events` is complete once the session has ended; it stays empty on an engine of others."""

    session: Session
    embedded: bool
    trace: str
    events: list[Event] = field(default_factory=list)

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """An environment in which a command finds this session."""
        return {
            **base,
            "DAGGER_SESSION_PORT": str(self.session.port),
            "DAGGER_SESSION_TOKEN": self.session.token,
            "TRACEPARENT": self.trace,
        }


def home(environ: Mapping[str, str]) -> Path:
    """Where the engine keeps its state."""
    if environ.get("SEALANE_HOME"):
        return Path(environ["SEALANE_HOME"]).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/sealane")
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local/share") / "sealane"


def trace_parent(environ: Mapping[str, str]) -> str:
    """The trace that this invocation belongs to."""
    return environ.get("TRACEPARENT") or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


@contextlib.contextmanager
def open_session(options: Options, progress: Progress, *, ahead: tuple[str, ...] = ()) -> Iterator[Opened]:
    """A session: the one that DAGGER_SESSION_PORT names, else an embedded engine's for as long as the block runs.

    `ahead` are modules that the caller is going to need: they are imported while the engine starts.
    """
    from sealane.cli.wire import Session

    trace = trace_parent(options.environ)
    port, token = options.environ.get("DAGGER_SESSION_PORT"), options.environ.get("DAGGER_SESSION_TOKEN")
    if port:
        if not token or not port.isdecimal():
            raise UsageError(
                "DAGGER_SESSION_PORT is set, so DAGGER_SESSION_TOKEN must be too",
                reason="session-token-missing",
                hint="Unset DAGGER_SESSION_PORT to start an engine.",
            )
        with contextlib.closing(Session(int(port), token, trace=trace)) as session:
            yield Opened(session, embedded=False, trace=trace)
        return
    telling = exporter(options.environ)
    trace = telling.traceparent if telling else trace
    with progress.span("connect"):
        engine = EngineProcess(options, progress, telling)
        for name in ahead:
            importlib.import_module(name)
        engine.greet()
    try:
        with contextlib.closing(Session(engine.port, engine.token, trace=trace)) as session:
            yield Opened(session, embedded=True, trace=trace, events=engine.events.kept)
    finally:
        engine.end()


class EngineProcess:
    """A running `python -m sealane_engine`, usable after `greet`. It ends when its stdin does, so it can't outlive us."""

    port = 0
    token = ""

    def __init__(
        self, options: Options, progress: Progress, telling: Exporter | None = None, *, own_stdin: bool = True
    ) -> None:
        from sealane.cli.events import EventReader

        check_machine()
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        command = [
            *(sys.executable, "-P", "-m", "sealane_engine"),
            *("--home", str(home(options.environ))),
            *("--events-fd", str(writing)),
            *("--workdir", str(Path.cwd())),
            *lock_words(options),
            *(("--shell", options.interactive_command) if options.interactive else ()),
            *(word for grant in options.environ.get("SEALANE_ALLOW", "").split() for word in ("--allow", grant)),
        ]
        try:
            self.process = _start(command, options.environ, writing, own_stdin=own_stdin)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._telling = telling
        self.events = EventReader(reading, [progress.event, *([telling.event] if telling else [])])
        self._last_lines: deque[str] = deque(maxlen=40)
        self._stderr = threading.Thread(target=self._read_stderr, args=(options.debug,), name="engine-log", daemon=True)
        self._stderr.start()

    def greet(self) -> None:
        """Wait until it says where its session is."""
        self.port, self.token = self._greeting()

    def end(self) -> None:
        """Close its stdin and wait for it; SIGTERM when that isn't enough."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            try:
                self.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.events.finish()
        self._stderr.join(1)
        if self._telling is not None:
            self._telling.close()

    def _greeting(self) -> tuple[int, str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        try:
            greeting = json.loads(line)
            return int(greeting["port"]), str(greeting["session_token"])
        except (ValueError, KeyError, TypeError):
            self.end()
            self._fail()

    def _fail(self) -> NoReturn:
        said = [line for line in self._last_lines if line.strip()]
        for line in reversed(said):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                told = json.loads(line)
                raise EngineUnavailable(told["error"], reason=told["reason"], hint=told["hint"])
        raise EngineUnavailable(
            f"the engine ended with code {self.process.returncode} before its session was there",
            reason="engine-start",
            hint="\n".join(["Its last lines:", *said]) if said else "`sealane doctor` shows what it needs.",
        )

    def _read_stderr(self, show: bool) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self._last_lines.append(line)
            if show:
                print(line, file=sys.stderr)


def lock_words(options: Options) -> tuple[str, ...]:
    """How the engine is told what is pinned. Raises UsageError (`no-lock`) when all must be and nothing is."""
    from sealane.cli import own

    mode, file = options.lock_mode or "pinned", own.project() / "sealane.lock"
    if mode in ("disabled", "live"):
        return ("--lock", mode)
    if file.is_file():
        return ("--lock", mode, "--lock-file", str(file))
    if mode == "frozen":
        raise UsageError(
            f"--locked, and there is no {file}", reason="no-lock", hint="Pin the base images: sealane lock"
        )
    return ()


def check_machine() -> None:
    """Refuse with one clear error what can't work; everything finer is the engine's to say, and `sealane doctor`'s."""
    if not sys.platform.startswith("linux"):
        raise HostLacks(
            f"the embedded engine needs Linux, and this is {sys.platform}", reason="not-linux", hint=OTHER_ENGINE
        )
    release = os.uname().release
    version = tuple(int(number) for number in re.findall(r"\d+", release)[:2])
    if version < OLDEST_KERNEL:
        raise HostLacks(
            f"the embedded engine needs Linux 6.1 or newer, and this is {release}",
            reason="kernel-too-old",
            hint=OTHER_ENGINE,
        )


def exec_dagger(words: list[str], environ: Mapping[str, str]) -> NoReturn:
    """Become the real `dagger` with the same words."""
    found = dagger_command(environ)
    os.execve(found, [found, *words], dict(environ))  # noqa: S606 - dagger takes our place


def dagger_command(environ: Mapping[str, str]) -> str:
    """The `dagger` command line on PATH."""
    found = shutil.which("dagger", path=environ.get("PATH"))
    if found is None:
        raise EngineUnavailable(
            "--engine dagger needs the dagger command line, which is not on PATH",
            reason="no-dagger",
            hint="Install it (https://docs.dagger.io/install), or leave --engine out to use the embedded engine.",
        )
    return found


def _start(command: list[str], environ: Mapping[str, str], events: int, *, own_stdin: bool) -> subprocess.Popen[bytes]:
    # a session of its own: the terminal's Ctrl-C is for us, and we end the engine by its stdin
    if sys.stdin is not None and sys.stdin.isatty():
        environ = {"SEALANE_TERMINAL": os.ttyname(sys.stdin.fileno()), **environ}
    if os.geteuid() == 0:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if own_stdin else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(events,),
            env=dict(environ),
            start_new_session=True,
        )
    from sealane.cli.rootless import start

    return start(command, environ, events, own_stdin=own_stdin)
