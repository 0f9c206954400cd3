"""Fetch a file into the store: kept by its address, asked for again only if the server has another one now."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from sealane_engine.errors import HostError, InvalidInput, NotFound

if TYPE_CHECKING:
    import httpx

    from sealane_engine.net.route import Route
    from sealane_engine.store.store import Result, Store

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
MAX_BYTES = 16 << 30
MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Fetched:
    """A blob of the store, and when its server says that it was changed (seconds; 0: it doesn't say)."""

    digest: str
    seconds: int


async def fetch(
    store: Store,
    url: str,
    *,
    header: str = "",
    checksum: str = "",
    own_machine: bool = True,
    route: Route | None = None,
) -> Fetched:
    """The file at an address. `checksum` is the digest that it must have; `route` is the way to a service.

    `own_machine` False: addresses of this machine and its link are refused, however a name or a redirect leads there.
    With `header` (Authorization) nothing is kept: it may be another file for everybody else.
    """
    import httpx

    _check_url(url)
    key = "http:" + hashlib.sha256(f"{route.key} {url}".encode() if route else url.encode()).hexdigest()
    kept = None if header else store.result(key)
    if kept is not None and checksum and kept.value["digest"] == checksum:
        return Fetched(checksum, kept.value["seconds"])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(url, route))
        try:
            ways = _Ways(route, stack)
            response = await _follow(client, url, _headers(kept, header), own_machine, ways)
            try:
                if response.status_code == httpx.codes.NOT_MODIFIED and kept is not None:
                    return _checked(Fetched(kept.value["digest"], kept.value["seconds"]), checksum)
                if response.status_code != httpx.codes.OK:
                    raise _refused(url, response)
                fetched = _checked(await _save(store, response), checksum)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise HostError(
                f"{url} can't be fetched: {str(error) or type(error).__name__}",
                reason="http-failed",
                hint="check the address and the connection",
            ) from error
    if not header:
        value = {
            "digest": fetched.digest,
            "seconds": fetched.seconds,
            "etag": response.headers.get("etag", ""),
            "modified": response.headers.get("last-modified", ""),
        }
        store.put_result(key, "http", value, blobs=(fetched.digest,), inputs={"url": url})
    return fetched


def check_digest(text: str) -> str:
    """A checksum as a digest. Raises InvalidInput (`bad-checksum`)."""
    name, _, value = text.partition(":")
    if name != "sha256" or len(value) != 64 or any(letter not in "0123456789abcdef" for letter in value):
        raise InvalidInput(f'invalid checksum "{text}"', reason="bad-checksum", hint="write sha256: and 64 hex digits")
    return text


def file_name(url: str) -> str:
    """What a file is called that has no other name: the last part of its address."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[2] or "index"


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        raise InvalidInput(f"unsupported address {url!r}", reason="http-scheme", hint="use http:// or https://")


def _headers(kept: Result | None, header: str) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}  # a checksum is of what is served
    if header:
        headers["Authorization"] = header.strip()
    if kept is not None and kept.value["etag"]:
        headers["If-None-Match"] = kept.value["etag"]
    elif kept is not None and kept.value["modified"]:
        headers["If-Modified-Since"] = kept.value["modified"]
    return headers


class _Ways:
    """Where an address is asked: at the address itself, or on the way to the service that it names."""

    def __init__(self, route: Route | None, stack: AsyncExitStack) -> None:
        self._route, self._stack = route, stack
        self._ports: dict[int, int] = {}

    def leads(self, url: str) -> bool:
        return self._route is not None and urlsplit(url).hostname == self._route.host.lower()

    async def target(self, url: str) -> tuple[str, dict[str, str], dict[str, str]]:
        """What to ask for in an address's stead: the address, and headers and extensions that keep its name."""
        if self._route is None or not self.leads(url):
            return url, {}, {}
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if port not in self._ports:
            self._ports[port] = await self._stack.enter_async_context(self._route.open(port))
        target = urlunsplit(parts._replace(netloc=f"127.0.0.1:{self._ports[port]}"))
        return target, {"Host": parts.netloc.rpartition("@")[2]}, {"sni_hostname": parts.hostname or ""}


def _client(url: str, route: Route | None) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        verify=ssl.create_default_context(),  # this machine's own trust
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=route is None and not _is_here(urlsplit(url).hostname or ""),
        headers={"User-Agent": "sealane"},
    )


async def _follow(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], own_machine: bool, ways: _Ways
) -> httpx.Response:
    for _ in range(MAX_REDIRECTS + 1):
        if not own_machine and not ways.leads(url):
            await check_host(url)
        target, named, extensions = await ways.target(url)
        request = client.build_request("GET", target, headers={**headers, **named}, extensions=extensions)
        response = await client.send(request, stream=True)
        if not response.has_redirect_location:
            return response
        target = urljoin(url, response.headers["location"])
        await response.aclose()
        _check_url(target)
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            headers = {name: value for name, value in headers.items() if name != "Authorization"}
        if not _is_here(urlsplit(url).hostname or "") and _is_here(urlsplit(target).hostname or ""):
            raise _own(target)
        url = target
    raise HostError(f"{url} redirects without end", reason="redirect-loop")


async def check_host(url: str) -> None:
    """Refuse an address that leads to this machine or its link. Raises InvalidInput (`http-own-machine`)."""
    parts = urlsplit(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except OSError:
        return  # a proxy may know it
    if any(_is_here(str(address[4][0])) for address in found):
        raise _own(url)


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address: Any = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return bool(address.is_loopback or address.is_link_local or address.is_unspecified)


def _own(url: str) -> InvalidInput:
    return InvalidInput(
        f"{url} leads to this machine, which is refused",
        reason="http-own-machine",
        hint="pass the file as an argument, or reach the port by host.service",
    )


async def _save(store: Store, response: httpx.Response) -> Fetched:
    staging = await asyncio.to_thread(store.staging)
    try:
        path, count = staging.path / "download", 0
        with path.open("wb") as sink:
            async for piece in response.aiter_raw(1 << 20):
                count += len(piece)
                if count > MAX_BYTES:
                    raise InvalidInput(f"{response.url} has more than {MAX_BYTES} bytes", reason="http-too-large")
                await asyncio.to_thread(sink.write, piece)
        with path.open("rb") as source:
            digest = await asyncio.to_thread(store.put_blob, source)
    finally:
        await asyncio.to_thread(staging.discard)
    return Fetched(digest, _seconds(response.headers.get("last-modified", "")))


def _seconds(value: str) -> int:
    try:
        return max(0, int(parsedate_to_datetime(value).timestamp())) if value else 0
    except (ValueError, OverflowError):
        return 0


def _checked(fetched: Fetched, checksum: str) -> Fetched:
    if checksum and fetched.digest != checksum:
        raise InvalidInput(
            f"http checksum mismatch: expected {checksum}, got {fetched.digest}",
            reason="checksum-mismatch",
            hint="if the file was changed on purpose, change the checksum",
        )
    return fetched


def _refused(url: str, response: httpx.Response) -> Exception:
    said = f"{url}: invalid response status {response.status_code} {response.reason_phrase}"
    if response.status_code in (404, 410):
        return NotFound(said, reason="http-not-found", hint="check the address")
    return HostError(said, reason="http-refused", hint="give authHeader if it wants a login")
