"""Users and groups by name, looked up in the passwd and group files of a tree as Dagger does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine.errors import EngineError, NotFound

if TYPE_CHECKING:
    from sealane_engine.store.view import TreeView


@dataclass(frozen=True, slots=True)
class User:
    """Who a command runs as; `home` is empty when the passwd file doesn't know the id."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = ""


def find_user(view: TreeView, spec: str) -> User:
    """`name`, `uid`, `name:group` or `uid:gid`; empty is root. A name that isn't there is an error."""
    name, _, group = spec.partition(":")
    name = name or "0"
    entry = next(
        (
            fields
            for fields in _lines(view, "/etc/passwd", 7)
            if fields[0] == name or (name.isdigit() and fields[2] == name)
        ),
        None,
    )
    if entry is None and not name.isdigit():
        raise NotFound(
            f"get user: unable to find user {name}: no matching entries in passwd file", reason="user-not-found"
        )
    uid, gid = (int(entry[2]), int(entry[3])) if entry else (int(name), 0)
    groups: tuple[int, ...] = ()
    if group:
        gid = find_group(view, group)
    elif entry:
        groups = tuple(int(fields[2]) for fields in _lines(view, "/etc/group", 4) if entry[0] in fields[3].split(","))
    return User(uid, gid, groups or (gid,), entry[5] if entry else "")


def find_group(view: TreeView, name: str) -> int:
    if name.isdigit():
        return int(name)
    for fields in _lines(view, "/etc/group", 4):
        if fields[0] == name:
            return int(fields[2])
    raise NotFound(
        f"get user: unable to find group {name}: no matching entries in group file", reason="group-not-found"
    )


def find_owner(view: TreeView, spec: str) -> tuple[int | None, int | None]:
    """The ids of an `owner` argument; (None, None) when there is none. A user alone gives the user's own group."""
    if not spec:
        return None, None
    try:
        user = find_user(view, spec)
    except EngineError:
        name = spec.partition(":")[0]
        raise NotFound(
            f"failed to resolve ownership for {spec}: find uid: no such user: {name}",
            reason="user-not-found",
            hint="create the user in the image first, or give numeric ids",
        ) from None
    if ":" not in spec and spec.isdigit():
        return user.uid, user.uid
    return user.uid, user.gid


def _lines(view: TreeView, path: str, width: int) -> Iterator[list[str]]:
    entry = view.stat(path)
    if entry is None or entry.kind != "file":
        return
    with view.open(path) as file:
        for line in file.read().decode(errors="replace").splitlines():
            fields = line.split(":")
            if len(fields) >= width:
                yield fields
