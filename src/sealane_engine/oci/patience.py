"""How long a busy registry is waited for: as long as it asks (Retry-After), up to a bound, and nobody waits in silence."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

ATTEMPTS = 4
SECONDS = 60.0
VARIABLE = "SEALANE_REGISTRY_WAIT"
BUSY = frozenset({408, 429, 500, 502, 503, 504})
_SHORTEST = 1.0  # what a wait counts for at least: a registry that says "0" is not asked without end


@dataclass(frozen=True, slots=True)
class Patience:
    """`seconds` is what one request waits in all when a registry asks for it; `say` is told of each wait."""

    seconds: float = SECONDS
    say: Callable[[str], None] = lambda _: None

    def waits(self, host: str) -> Waits:
        """For one request."""
        return Waits(self, host)


@dataclass(slots=True)
class Waits:
    """The waits of one request. `hint` is what to do when the registry asks for more than is granted."""

    patience: Patience
    host: str
    hint: str = ""
    _waited: float = field(default=0.0, init=False)
    _tries: int = field(default=0, init=False)

    def next(self, status: int, retry_after: str) -> float | None:
        """How many seconds to wait before the request is made again; None: not again."""
        if status not in BUSY:
            return None
        asked = _seconds(retry_after)
        if asked is None:
            self._tries += 1
            return backoff(self._tries - 1) if self._tries < ATTEMPTS else None
        bound = self.patience.seconds
        self._waited += max(asked, _SHORTEST)
        if self._waited > bound:
            self.hint = (
                f"it asks to wait {asked:.0f} s, and {bound:.0f} s in all are waited: set "
                f"{VARIABLE}={self._waited:.0f} to wait, log in for a higher limit, or name an image of another registry"
            )
            return None
        if asked:
            self.patience.say(
                f"{self.host} answers {status}: waiting {asked:.0f} s, as it asks ({VARIABLE}={bound:.0f})"
            )
        return asked


def backoff(attempt: int) -> float:
    return float(0.1 * 2**attempt * (1 + random.random()))  # noqa: S311 - jitter


def _seconds(value: str) -> float | None:
    """What Retry-After asks for: seconds, or a date."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except ValueError:
        return None
