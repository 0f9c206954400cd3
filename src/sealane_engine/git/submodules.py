"""The submodules that a commit names: where in it, of which repository, at which commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput
from sealane_engine.git.command import GitFailed, git, plain_environment

if TYPE_CHECKING:
    from sealane_engine.git.mirror import Mirror

MAX_DEPTH = 8
"""Of submodules in submodules: a repository may be its own."""


@dataclass(frozen=True, slots=True)
class Submodule:
    """`url` is as .gitmodules has it: it may be relative to the repository that names it."""

    path: str
    url: str
    commit: str


async def submodules(mirror: Mirror, commit: str) -> list[Submodule]:
    """What .gitmodules of a commit says and its tree has. A name without a place in the tree is none."""
    environment = plain_environment()
    try:
        blob = f"--blob={commit}:.gitmodules"
        pattern = r"^submodule\..*\.(path|url)$"
        said = await git(mirror.folder, "config", blob, "-z", "--get-regexp", pattern, environment=environment)
    except GitFailed:
        return []  # there is no such file, or nothing in it
    values = dict(line.split("\n", 1) for line in said.split("\0") if "\n" in line)
    found = []
    for key, path in values.items():
        url = values.get(f"{key.removesuffix('.path')}.url")
        if not key.endswith(".path") or url is None:
            continue
        entry = await git(mirror.folder, "ls-tree", "-z", commit, "--", path, environment=environment)
        facts, _, place = entry.rstrip("\0").partition("\t")
        mode, _, rest = facts.partition(" ")
        if mode == "160000" and place == path:
            found.append(Submodule(path, url, rest.partition(" ")[2]))
    return found


def absolute(url: str, base: str) -> str:
    """A submodule's address; `./` and `../` go from the address of the repository that names it."""
    if not url.startswith(("./", "../")):
        return url
    where = base.rstrip("/")
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            parent, slash, _ = where.rpartition("/")
            if not slash or parent.endswith("/"):
                raise InvalidInput(
                    f"the submodule's address {url!r} leads above {base}",
                    reason="git-submodule",
                    hint="mend .gitmodules",
                )
            where = parent
        url = url.partition("/")[2]
    return f"{where}/{url}"
