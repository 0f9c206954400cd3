"""One registry, as a client: manifests and blobs, authenticated as it asks, every byte checked.

A registry that can't be reached is `Unreachable`; one that answers has the last word, and a no, or a lie, is ImageError.
Credentials go to the registry and to the token service it names, never to where a redirect leads.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from sealane_engine.errors import ImageError, NotFound
from sealane_engine.oci import credentials as docker_credentials
from sealane_engine.oci import manifest, patience
from sealane_engine.oci.hashed import HashedFile
from sealane_engine.oci.hosts import Host
from sealane_engine.oci.patience import ATTEMPTS, Patience

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from sealane_engine.oci.credentials import Credentials
    from sealane_engine.oci.descriptor import Descriptor

CONNECT_SECONDS = 2.0
READ_SECONDS = 60.0
READ_BYTES = 256 << 10
MAX_MANIFEST_BYTES = 4 << 20
MAX_TOKEN_BYTES = 1 << 20
MAX_REDIRECTS = 5
_ACCEPT = ", ".join(sorted(manifest.MANIFESTS | manifest.INDEXES))
_CHALLENGE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Unreachable(Exception):
    """A registry could not be asked: its name, the connection or TLS failed."""


class _Broke(ImageError):
    """An answer broke off: it may be asked for again."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index: its bytes as served, hashed; its type; what it says."""

    digest: str
    media_type: str
    body: Mapping[str, Any]


class Registry:
    """A registry host. Close it when done. `credentials` override what Docker's configuration has.

    `port` is one of this machine that leads to the registry, if its name doesn't: a service.
    """

    def __init__(
        self,
        host: str,
        credentials: Credentials | None = None,
        patient: Patience | None = None,
        settings: Host | None = None,
        port: int | None = None,
    ) -> None:
        self.host = host
        self._port = port
        self.patience = patient or Patience()
        self._settings = settings or Host()
        self._loopback = is_loopback(host)
        self._credentials = credentials
        self._asked_docker = credentials is not None
        self._tokens: dict[str, str] = {}
        self._http: httpx.AsyncClient | None = None
        name = "registry-1.docker.io" if host == "docker.io" else host
        self._plain = self._loopback or self._settings.http
        self._base = f"{'http' if self._plain else 'https'}://{name}"

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def manifest(self, repository: str, identifier: str) -> Manifest:
        """A manifest by tag or digest. Raises Unreachable, NotFound, ImageError."""
        url = f"{self._base}/v2/{repository}/manifests/{identifier}"
        data, headers = await self._whole(url, repository, {"Accept": _ACCEPT})
        claimed = headers.get("docker-content-digest", "")
        typed = headers.get("content-type", "").partition(";")[0].strip()
        digest = manifest.digest(data)
        promised = identifier if identifier.startswith("sha256:") else claimed
        if promised and promised != digest:
            raise ImageError(
                f"{self.host}: manifest {repository}:{identifier} should be {promised} and is {digest}",
                reason="digest-mismatch",
            )
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ImageError(
                f"{self.host}: manifest {repository}:{identifier} is no JSON ({typed or 'no type'})",
                reason="bad-manifest",
                hint="is this a registry, or a proxy's page?",
            ) from error
        if not isinstance(body, dict):
            raise ImageError(f"{self.host}: manifest {repository}:{identifier} is no object", reason="bad-manifest")
        return Manifest(digest, str(body.get("mediaType") or typed), body)

    async def blob(self, repository: str, promised: Descriptor, sink: BinaryIO) -> None:
        """Write a blob to the new, seekable file `sink`; it goes on where a connection broke. Size and digest are checked."""
        import httpx

        url = f"{self._base}/v2/{repository}/blobs/{promised.digest}"
        async with HashedFile(sink) as file:
            for attempt in range(ATTEMPTS):
                headers = {"Range": f"bytes={file.count}-"} if file.count else {}
                try:
                    async with self._get(url, repository, headers) as response:
                        if file.count and response.status_code != httpx.codes.PARTIAL_CONTENT:
                            await file.restart()
                        async for piece in response.aiter_raw():
                            await file.add(piece)
                            if file.count > promised.size:
                                break
                except (httpx.TransportError, Unreachable) as error:
                    if attempt + 1 == ATTEMPTS:
                        raise self._broken(promised.digest, file.count, promised.size, error) from error
                    await asyncio.sleep(patience.backoff(attempt))
                    continue
                if file.count >= promised.size or attempt + 1 == ATTEMPTS:
                    break
                await asyncio.sleep(patience.backoff(attempt))
            digest = await file.digest()
        if file.count != promised.size:
            much = "more" if file.count > promised.size else f"only {file.count}"
            raise ImageError(
                f"{self.host}: blob {promised.digest} has {much} bytes, not {promised.size}", reason="size-mismatch"
            )
        if digest != promised.digest:
            raise ImageError(
                f"{self.host}: blob {promised.digest} has other content: {digest}", reason="digest-mismatch"
            )

    def _broken(self, digest: str, count: int, size: int, error: Exception) -> ImageError:
        return ImageError(
            f"{self.host}: blob {digest} broke off at {count} of {size} bytes: {error}",
            reason="download-failed",
            hint="try again",
        )

    # -------------------------------------------------------------- requests
    @asynccontextmanager
    async def _get(self, url: str, repository: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """An answer of 200 or 206: authenticated, redirects followed, a busy registry asked again."""
        import httpx

        waits = self.patience.waits(self.host)
        broken = logins = 0
        while True:
            try:
                response = await self._followed(url, repository, headers)
            except _Broke:
                broken += 1
                if broken == ATTEMPTS:
                    raise
                await asyncio.sleep(patience.backoff(broken - 1))
                continue
            if response.status_code == httpx.codes.UNAUTHORIZED and logins < 2:
                challenge = response.headers.get("www-authenticate", "")
                await response.aclose()
                if not await self._authorize(challenge, repository, again=logins > 0):
                    raise self._refused(url, response)
                logins += 1
                continue
            wait = waits.next(response.status_code, response.headers.get("retry-after", ""))
            if wait is None:
                break
            await response.aclose()
            await asyncio.sleep(wait)
        try:
            if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise self._refused(url, response, waits.hint)
            yield response
        finally:
            await response.aclose()

    async def _whole(self, url: str, repository: str, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
        """A small answer and its headers; asked for again when it breaks off."""
        import httpx

        for attempt in range(ATTEMPTS):
            try:
                async with self._get(url, repository, headers) as response:
                    return await self._body(response, MAX_MANIFEST_BYTES), response.headers
            except httpx.TransportError as error:
                if attempt + 1 == ATTEMPTS:
                    raise self._broke(url, error) from error
                await asyncio.sleep(patience.backoff(attempt))
        raise AssertionError(url)

    async def _followed(self, url: str, repository: str, headers: Mapping[str, str]) -> httpx.Response:
        sent = dict(headers)
        if token := self._tokens.get(repository):
            sent["Authorization"] = token
        origin = _origin(url)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(url, sent)
            if not response.is_redirect:
                return response
            target = urljoin(url, response.headers.get("location", ""))
            await response.aclose()
            self._check_address(target, "redirects to")
            if _origin(target) != origin:
                sent.pop("Authorization", None)  # for the registry only; and not again if it leads back
            url = target
        raise ImageError(f"{self.host} redirects without end", reason="redirect-loop")

    async def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        import httpx

        http = self._client()
        try:
            # Bytes as they are: a digest is of what is sent.
            request = http.build_request("GET", url, headers={"Accept-Encoding": "identity", **headers})
            return await http.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise Unreachable(f"{urlsplit(url).netloc}: {str(error) or 'no connection within 2 seconds'}") from error
        except httpx.TransportError as error:
            raise self._broke(url, error) from error

    def _broke(self, url: str, error: Exception) -> _Broke:
        return _Broke(
            f"{self.host}: {url} broke off: {str(error) or type(error).__name__}",
            reason="registry-failed",
            hint="try again",
        )

    def _client(self) -> httpx.AsyncClient:
        import httpcore
        import httpx

        if self._http is None:
            # For all connections: a download waits for a round of the event loop per read, by default each 64 KB. A
            # socket of asyncio gives as much as this.
            httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = READ_BYTES
            verify = self._settings.context()
            self._http = httpx.AsyncClient(
                verify=verify,
                transport=None if self._port is None else rerouted(self.host, self._port, verify),
                timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                follow_redirects=False,
                headers={"User-Agent": "sealane"},
                trust_env=not self._loopback and self._port is None,
            )
        return self._http

    async def _body(self, response: httpx.Response, limit: int) -> bytes:
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > limit:
                raise ImageError(f"{self.host}: {response.url} has more than {limit} bytes", reason="bad-manifest")
        return bytes(data)

    def _refused(self, url: str, response: httpx.Response, hint: str = "") -> Exception:
        status = response.status_code
        if status == 404:
            return NotFound(f"{self.host}: {urlsplit(url).path}: not found", reason="image-not-found")
        hints = {
            401: f"log in with `docker login {self.host}`, or give credentials with `withRegistryAuth`",
            403: f"log in with `docker login {self.host}`, or name an image of another registry",
            429: "log in for a higher limit, wait, or name an image of another registry (a mirror of yours)",
        }
        return ImageError(
            f"{self.host} answered {status} {response.reason_phrase} to {urlsplit(url).path}",
            reason="registry-refused",
            hint=hint or hints.get(status, "try again later, or name an image of another registry"),
        )

    # -------------------------------------------------------------- authentication
    async def _authorize(self, challenge: str, repository: str, *, again: bool) -> bool:
        """Get what the registry asks for. False when there is nothing (else) to offer."""
        if not self._asked_docker:
            self._credentials = await docker_credentials.find(self.host)
            self._asked_docker = True
        scheme, _, rest = challenge.partition(" ")
        known = self._credentials
        if scheme.lower() == "basic":
            if known is None or again:
                return False
            import httpx

            request = httpx.Request("GET", self._base)
            flow = httpx.BasicAuth(known.user, known.password).auth_flow(request)
            self._tokens[repository] = next(flow).headers["Authorization"]
            return True
        if scheme.lower() == "bearer":
            self._tokens[repository] = f"Bearer {await self._token(dict(_CHALLENGE.findall(rest)), repository)}"
            return True
        return False

    async def _token(self, asked: Mapping[str, str], repository: str) -> str:
        import httpx

        realm = asked.get("realm", "")
        self._check_address(realm, "asks for a token of")
        query: dict[str, Any] = {"scope": self._scopes(asked, repository)}
        if "service" in asked:
            query["service"] = asked["service"]
        known, http = self._credentials, self._client()
        try:
            if known is not None and known.token:
                scope = " ".join(query["scope"])
                form = {
                    **query,
                    "scope": scope,
                    "grant_type": "refresh_token",
                    "refresh_token": known.token,
                    "client_id": "sealane",
                }
                request = http.build_request("POST", realm, data=form)
            else:
                auth = httpx.BasicAuth(known.user, known.password) if known is not None else None
                request = http.build_request("GET", realm, params=query)
                if auth is not None:
                    request = next(auth.auth_flow(request))
            response = await http.send(request, stream=True)
        except httpx.TransportError as error:
            raise ImageError(
                f"{self.host}: its token service {urlsplit(realm).netloc} can't be reached: {error}",
                reason="registry-failed",
            ) from error
        try:
            if response.status_code != httpx.codes.OK:
                raise self._refused(realm, response)
            answer = json.loads(await self._body(response, MAX_TOKEN_BYTES))
        except (ValueError, RecursionError) as error:
            raise ImageError(f"{self.host}: its token service gives no JSON", reason="registry-failed") from error
        except httpx.TransportError as error:
            raise self._broke(realm, error) from error
        finally:
            await response.aclose()
        token = answer.get("token") or answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.isprintable():
            raise ImageError(f"{self.host}: its token service gives no token", reason="registry-failed")
        return token

    def _scopes(self, _asked: Mapping[str, str], repository: str) -> list[str]:
        """What a token is asked for."""
        return [_asked.get("scope") or f"repository:{repository}:pull"]

    def _check_address(self, url: str, what: str) -> None:
        """Refuse to be sent where a public registry has no business: plain HTTP, files, this machine, link-local hosts."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        allowed = parts.scheme == "https" or (parts.scheme == "http" and self._plain)
        if allowed and not self._loopback:
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                allowed = host not in ("", "localhost")
            else:
                allowed = not (address.is_loopback or address.is_link_local or address.is_unspecified)
        elif allowed:
            with_address = re.fullmatch(r"[0-9a-fA-F:.]+", host)
            allowed = not (with_address and ipaddress.ip_address(host).is_link_local)
        if not allowed:
            raise ImageError(f"{self.host} {what} {url:.200}", reason="bad-redirect", hint="this is refused")


def is_loopback(host: str) -> bool:
    """Whether a registry is on this machine: it may speak plain HTTP."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def rerouted(host: str, port: int, verify: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """What asks for `host` goes to a port of this machine, under the same name; anything else goes where it says."""
    import httpx

    name = urlsplit(f"//{host}").hostname

    class Rerouted(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host == name:
                request.extensions = {**request.extensions, "sni_hostname": name}
                request.url = request.url.copy_with(host="127.0.0.1", port=port)
            return await super().handle_async_request(request)

    return Rerouted(verify=verify, trust_env=False)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
