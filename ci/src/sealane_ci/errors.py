"""Errors of ours as a module tells them: the message alone, without the stack trace that is logged for any other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dagger.mod._exceptions import FunctionError  # there is no public name for it

from sealane.errors import SealaneError


@contextlib.contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except SealaneError as error:
        raise FunctionError(str(error)) from None
