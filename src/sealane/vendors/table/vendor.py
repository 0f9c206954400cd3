"""What there is to know of a vendor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane.vendors.voice import SILENT, Voice

if TYPE_CHECKING:
    from sealane.vendors.model import Context, Environ


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor: how it is recognised, what its environment says, how a job speaks to it. `source` is where that was read."""

    name: str
    title: str
    source: str
    marks: Callable[[Environ], bool]
    read: Callable[[Environ], Context]
    voice: Voice = SILENT
