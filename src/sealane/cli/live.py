"""Progress on a terminal: a line per running step, redrawn; a line per finished one; a failed step's last lines."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealane.cli.progress import failed, lent, titled

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text

    from sealane.cli.events import Event

_TAIL = 20


@dataclass(slots=True)
class _Running:
    name: str
    began: float = field(default_factory=time.monotonic)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))


class Live:
    """The live view. rich is imported at the first thing there is to show, while the engine works."""

    shows_failures = True

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._running: dict[str, _Running] = {}
        self._live: RichLive | None = None
        self._hits: set[str] = set()
        self._waiting: list[str] | None = None  # what is shown when a command has given the terminal back
        self._closed = False

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        running = _Running(name)
        with self._lock:
            self._running[name] = running
        try:
            yield
        except BaseException:
            self._finish(name, running, "✘", "red")
            raise
        self._finish(name, running, "✔", "green")

    def event(self, event: Event) -> None:
        kind, key = event.get("kind"), str(event.get("key", ""))
        with self._lock:
            if kind == "step-start":
                self._running[key] = _Running(titled(event))
                self._draw()
            elif kind == "log" and not key:  # what a module's function says
                for line in str(event.get("text", "")).splitlines():
                    self._print(f"  [dim]┃[/] {_escape(line)}")
            elif kind == "log" and key in self._running:
                self._running[key].tail.extend(str(event.get("text", "")).splitlines())
            elif kind == "step-end" and key in self._running:
                bad = failed(event)
                self._finish(key, self._running[key], "✘" if bad else "✔", "red" if bad else "green", tail=bad)
            elif kind == "cache" and event.get("verdict") == "hit":
                self._hits.add(key)
            elif kind == "terminal":
                self._lend(lent(event)) if event.get("open") else self._take_back()
            elif kind == "warning":
                self._print(f"[yellow]warning:[/] {_escape(str(event.get('message')))}")

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._hits:
                self._print(f"[dim]$ {len(self._hits)} step{'s' if len(self._hits) > 1 else ''} from the cache[/]")
            if self._live is not None:
                self._running.clear()
                self._live.stop()

    def _finish(self, key: str, running: _Running, mark: str, colour: str, *, tail: bool = False) -> None:
        with self._lock:
            self._running.pop(key, None)
            took = time.monotonic() - running.began
            self._print(f"[{colour}]{mark}[/] {_escape(running.name)} [dim]{took:.1f}s[/]")
            if tail:
                for line in running.tail:
                    self._print(f"  [red]┃[/] {_escape(line)}")
            self._draw()

    def _lend(self, why: str) -> None:
        if self._live is not None:
            self._live.stop()
        if why:
            self._print(_escape(why))
            self._screen().stop()
        self._waiting = []

    def _take_back(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        if self._live is not None:
            self._live.start()
        for markup in waiting:
            self._print(markup)

    def _draw(self) -> None:
        if not self._closed and self._waiting is None:
            self._screen()

    def _print(self, markup: str) -> None:
        if self._waiting is not None:
            self._waiting.append(markup)
            return
        self._screen().console.print(markup, highlight=False, soft_wrap=True)

    def _screen(self) -> RichLive:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live as RichLive

            console = Console(stderr=True)
            self._live = RichLive(
                console=console,
                get_renderable=self._render,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        return self._live

    def _render(self) -> Text:
        # rich's own thread calls this while it holds rich's lock, so ours must not be taken here
        from rich.text import Text

        now = time.monotonic()
        lines = []
        for running in list(self._running.values())[-12:]:
            last = f"  [dim]{_escape(running.tail[-1][:100])}[/]" if running.tail else ""
            lines.append(f"[cyan]●[/] {_escape(running.name)} [dim]{now - running.began:.1f}s[/]{last}")
        return Text.from_markup("\n".join(lines))


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
