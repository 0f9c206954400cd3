"""The scrubber: a stream of bytes in, the same stream out with every secret replaced by ***.

Masked are a secret's raw and trimmed text, each of its longer lines, and its base64 (at three offsets), hex, URL and
JSON forms. A secret that is cut in two by writes is still found: bytes that could be the beginning of one are held
back until it is clear that they are not. Secrets shorter than two characters are left alone, or a log would turn into
stars; encoded forms are only looked for from six on.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = b"***"
MIN_RAW = 2
MIN_ENCODED = 6
MIN_LINE = 8
SEEN = 4


class Scrubber:
    """Feed bytes, get bytes; `flush` at the end gives what was held back."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        self._forms = forms
        self._pattern = re.compile(b"|".join(re.escape(form) for form in forms)) if forms else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        if self._pattern is None:
            return data
        data = self._held + data
        if any(form in data for form in self._forms):  # the pattern tries every form at every place: far slower
            data = self._pattern.sub(MASK, data)
        keep = max((_begun(data, form) for form in self._forms), default=0)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def text(self, text: str) -> str:
        """A whole text at once."""
        return self._pattern.sub(MASK, text.encode()).decode(errors="replace") if self._pattern else text


def _begun(data: bytes, form: bytes) -> int:
    """How many of the last bytes could be the beginning of this form."""
    tail = data[-(len(form) - 1) :]
    start = form[:SEEN]
    at = tail.find(start)
    while at >= 0:
        if form.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(start, at + 1)
    return next((length for length in range(min(SEEN, len(tail)), 0, -1) if form.startswith(tail[-length:])), 0)


def _forms(secret: bytes) -> set[bytes]:
    trimmed = secret.strip()
    if len(trimmed) < MIN_RAW:
        return set()
    forms = {secret, trimmed}
    forms |= {line.strip() for line in trimmed.splitlines() if len(line.strip()) >= MIN_LINE}
    if len(trimmed) >= MIN_ENCODED:
        for text in (secret, trimmed):
            forms |= _base64_forms(text)
            forms |= {text.hex().encode(), text.hex().upper().encode(), quote(text, safe="").encode()}
            forms.add(json.dumps(text.decode(errors="replace"))[1:-1].encode())
    return {form for form in forms if len(form) >= MIN_RAW}


def _base64_forms(text: bytes) -> set[bytes]:
    """What a text looks like inside base64, wherever it begins: the characters that depend on it alone."""
    forms = set()
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + text)
            start = (0, 2, 3)[offset]
            bits = (len(text) + offset) * 8
            forms.add(encoded[start : bits // 6])
    return forms
