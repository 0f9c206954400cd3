"""Git in a container: how it is had, and what lets it read a repository that somebody else owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagger

# A repository that is mounted belongs to another user than the step's; Git would refuse to look at it. And where there
# is none, Git shall look for none further up.
_TRUST = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CEILING_DIRECTORIES": "/scan",
}


def with_git(base: dagger.Container) -> dagger.Container:
    """A container of Debian's kind, with Git."""
    base = base.with_exec(["apt-get", "update"])
    base = base.with_exec(["apt-get", "install", "-y", "--no-install-recommends", "ca-certificates", "git"])
    for name, value in _TRUST.items():
        base = base.with_env_variable(name, value)
    return base
