"""Addresses of git repositories: `https://host/path#ref:subdir`, `git@host:path`, and ones without a scheme."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from sealane_engine.errors import InvalidInput

SCHEMES = ("https", "http", "ssh", "git", "file")
_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^:#][^#]*)")


@dataclass(frozen=True, slots=True)
class GitURL:
    """`url` is what git is given: without a fragment, and without a password, which nobody may see in a process list."""

    scheme: str
    url: str
    host: str = ""
    port: int | None = None
    ref: str = ""
    subdir: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def site(self) -> str:
        """What an HTTP setting of git is limited to."""
        return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}/"

    def at(self, host: str, port: int) -> GitURL:
        """The same repository at another place. A path in scp's style goes from the user's home folder."""
        user = f"{self.user}@" if self.user else ""
        if "://" in self.url:
            path = urlunsplit(("", "", *urlsplit(self.url)[2:]))
        else:
            path = self.url.partition(":")[2]
            path = path if path.startswith("/") else f"/~/{path}"
        return replace(self, url=f"{self.scheme}://{user}{host}:{port}{path}", host=host, port=port)


def parse(text: str) -> GitURL:
    """Parse an address that names its scheme, or is in scp's style. Raises InvalidInput (`git-url`)."""
    base, _, fragment = text.partition("#")
    ref, _, subdir = fragment.partition(":")
    if text.startswith("-") or any(ord(letter) < 0x21 for letter in text):
        raise _bad(text, "it has characters that an address can't have")
    if "://" not in base:
        found = _SCP.fullmatch(base)
        if found is None:
            raise _bad(text, "it names no scheme")
        user = found["user"] or "git"
        return GitURL("ssh", f"{user}@{found['host']}:{found['path']}", found["host"], None, ref, subdir, user)
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError as error:
        raise _bad(text, str(error)) from error
    scheme, host, user = parts.scheme.lower(), parts.hostname or "", unquote(parts.username or "")
    if scheme not in SCHEMES:
        raise _bad(text, f"scheme {scheme!r} is not one of {', '.join(SCHEMES)}")
    if (scheme != "file" and not host) or host.startswith("-") or user.startswith("-"):
        raise _bad(text, "it names no host")
    if scheme == "ssh" and not user:
        user = "git"
    where = f"[{host}]" if ":" in host else host
    place = f"{f'{parts.username or user}@' if user else ''}{where}{f':{port}' if port else ''}"
    url = urlunsplit((scheme, place, parts.path, parts.query, ""))
    return GitURL(scheme, url, where, port, ref, subdir, user, unquote(parts.password or ""))


def candidates(text: str) -> tuple[GitURL, ...]:
    """What an address may mean: without a scheme, HTTPS and then SSH."""
    base = text.partition("#")[0]
    if "://" in base or _SCP.fullmatch(base):
        return (parse(text),)
    if "." not in base.partition("/")[0]:
        raise _bad(text, "it names no host")
    return parse(f"https://{text}"), parse(f"ssh://{text}")


def _bad(text: str, why: str) -> InvalidInput:
    shown = re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", text)
    return InvalidInput(
        f"failed to parse Git URL {shown!r}: {why}",
        reason="git-url",
        hint="write https://host/path, ssh://user@host/path or git@host:path",
    )
