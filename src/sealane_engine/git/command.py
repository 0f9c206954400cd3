"""The host's git as a command: with settings that let nothing of a repository run here, and logins no one can see."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from sealane_engine.errors import InvalidInput, NotFound
from sealane_engine.git.url import GitURL

# Nothing that a repository brings may run on the host: no hooks, no monitor, no filters, no protocol but those named.
SAFE = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.logAllRefUpdates": "false",
    "protocol.allow": "never",
    "protocol.ext.allow": "never",
    "safe.directory": "*",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "credential.helper": "",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}
PASSED_ON = ("PATH", "LANG", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_LOGIN = re.compile(
    r"could not read (?:Username|Password)|Authentication failed|Permission denied|returned error: 40[13]"
    r"|Host key verification failed|terminal prompts disabled",
)


class GitFailed(InvalidInput):
    """git said no."""


class LoginNeeded(GitFailed):
    """A remote wants to know who asks, or doesn't let this one in."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a remote is told of who asks. `identity` stands for it in names: the secrets' own, never their text."""

    user: str = ""
    token: str = field(default="", repr=False)
    header: str = field(default="", repr=False)
    agent: str = ""
    known_hosts: tuple[str, ...] = ()
    strict: bool = False
    identity: str = ""


def remote_environment(
    url: GitURL, login: Login, settings: Mapping[str, str] | None = None, *, alias: str = ""
) -> dict[str, str]:
    """What git needs in its environment to reach a remote; nothing of it is on a command line.

    `alias` is the host whose SSH keys count, when it is reached at another address.
    """
    wanted = {f"protocol.{url.scheme}.allow": "always", **(settings or {})}
    environment = {name: os.environ[name] for name in PROXIES if name in os.environ}
    if url.scheme in ("http", "https"):
        header = login.header
        password = login.token or url.password
        if not header and password:
            # any user name does where a token is the password
            pair = f"{login.user or url.user or 'x-access-token'}:{password}"
            header = f"basic {base64.b64encode(pair.encode()).decode()}"
        if header:
            wanted[f"http.{url.site}.extraHeader"] = f"Authorization: {_one_line(header)}"
    if url.scheme == "ssh":
        hosts = " ".join(quote(_escape(path)) for path in login.known_hosts) or "/dev/null"
        options = (
            "ssh",
            *("-F", "/dev/null", "-o", "BatchMode=yes"),
            *("-o", f"StrictHostKeyChecking={'yes' if login.strict else 'accept-new'}"),
            *("-o", f"UserKnownHostsFile={hosts}"),
            *(("-o", f"HostKeyAlias={alias}") if alias else ()),
        )
        environment["GIT_SSH_COMMAND"] = " ".join(quote(option) for option in options)
        environment["GIT_SSH_VARIANT"] = "ssh"
        if login.agent:
            environment["SSH_AUTH_SOCK"] = login.agent
    return {**environment, **_settings(wanted)}


def _escape(path: str) -> str:
    return path.replace("%", "%%")


def _one_line(text: str) -> str:
    text = text.strip()
    if "\n" in text or "\r" in text:
        raise InvalidInput("the authorization header has more than one line", reason="git-login", hint="give one line")
    return text


def _settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as git reads them from its environment: nobody else's eyes see them there."""
    every = {**SAFE, **settings}
    found = {"GIT_CONFIG_COUNT": str(len(every))}
    for number, (name, value) in enumerate(every.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


async def git(
    folder: Path, *args: str, environment: Mapping[str, str] | None = None, stdin: bytes | None = None
) -> str:
    """Run git in a folder; the answer is what it printed. Raises GitFailed."""
    if shutil.which("git") is None:
        raise NotFound("git is not installed", reason="git-missing", hint="install it: apt-get install git")
    base = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    base |= {
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_PROTOCOL_FROM_USER": "0",
        "LC_ALL": "C",
    }
    process = await asyncio.create_subprocess_exec(
        "git",
        *args,
        cwd=folder,
        env={**base, **(environment or _settings({"protocol.file.allow": "always"}))},
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        stdout, stderr = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = stderr.decode(errors="replace").strip() or f"exit status {process.returncode}"
        verb = next((arg for arg in args if not arg.startswith("-")), args[0])
        if _LOGIN.search(said):
            raise LoginNeeded(
                f"git {verb}: {said}", reason="git-login", hint="give httpAuthToken, httpAuthHeader or an SSH agent"
            )
        raise GitFailed(f"git {verb}: {said}", reason="git-failed", hint="check the repository and the reference")
    return stdout.decode(errors="replace")


def plain_environment(
    settings: Mapping[str, str] | None = None, extra: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """For commands on repositories that lie here."""
    return {**_settings({"protocol.file.allow": "always", **(settings or {})}), **dict(extra)}


async def host_login(url: GitURL) -> Login | None:
    """What this machine's own git would log in with, asked of its credential helpers; never of a person."""
    request = f"protocol={url.scheme}\nhost={url.host}{f':{url.port}' if url.port else ''}\n\n"
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "SSH_ASKPASS": "/bin/false"}
    process = await asyncio.create_subprocess_exec(
        "git",
        *("credential", "fill"),
        cwd="/",
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(10):
            stdout, _ = await process.communicate(request.encode())
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        return None
    values = dict(line.split("=", 1) for line in stdout.decode(errors="replace").splitlines() if "=" in line)
    if not values.get("password"):
        return None
    return Login(user=values.get("username", ""), token=values["password"], identity="host")
