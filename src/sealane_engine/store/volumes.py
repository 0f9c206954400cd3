"""Cache volumes: directories that steps share, under hashed names so that no key is ever a path.

v/NAME/lock     flock of LOCKED sharing; beside the data, where no step reaches it
v/NAME/data     the volume of SHARED and LOCKED sharing
v/NAME/pN       the Nth volume of PRIVATE sharing, with its lock in v/NAME/pN.lock
"""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sealane_engine.sandbox.ids import IdRange
from sealane_engine.store import locks


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory of the store, owned by the step's root. `rel` is relative to the store's home."""

    name: str
    rel: str
    path: Path
    lock_path: Path


class PrivateVolume:
    """A volume held by its user alone; leaving the context frees it, and so does the user's death."""

    def __init__(self, volume: Volume, descriptor: int) -> None:
        self.volume = volume
        self._descriptor = descriptor

    def __enter__(self) -> Volume:
        return self.volume

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def volume(home: Path, namespace: str, key: str, ids: IdRange, variant: str = "") -> Volume:
    """The volume of a key; namespaces (modules, projects) never share one.

    `variant` is whose it is and what it begins with: as with Dagger, that makes another volume of the same key.
    """
    parts = b"".join(
        len(part).to_bytes(8, "big") + part
        for part in (each.encode(errors="surrogatepass") for each in (namespace, key, *((variant,) if variant else ())))
    )
    name = hashlib.sha256(parts).hexdigest()[:24]
    return _make(home, name, "data", "lock", ids)


def private(home: Path, shared: Volume, ids: IdRange) -> PrivateVolume:
    """The first volume beside `shared` that nobody holds."""
    for number in itertools.count():
        candidate = _make(home, shared.name, f"p{number}", f"p{number}.lock", ids)
        descriptor = os.open(candidate.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if locks.lock_now(descriptor):
            return PrivateVolume(candidate, descriptor)
        os.close(descriptor)
    raise AssertionError


def _make(home: Path, name: str, data: str, lock: str, ids: IdRange) -> Volume:
    folder = home / "v" / name
    folder.mkdir(mode=0o711, exist_ok=True)
    path = folder / data
    try:
        path.mkdir()
    except FileExistsError:
        pass
    else:
        os.chmod(path, 0o755)  # noqa: S103  steps run under their own ids
        os.chown(path, ids.outer(0), ids.outer(0))
    return Volume(name, f"v/{name}/{data}", path, folder / lock)
