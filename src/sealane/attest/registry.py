"""What is attached to images in a registry: small manifests and blobs, read and written by the OCI distribution spec.

Images themselves are pushed and pulled by the engine. This runs where the SDK runs, in a module on any engine too, so
it asks nothing of the engine. What is attached to an image names it as its `subject`; where a registry doesn't list
those by itself (the referrers API), we keep the list under the fallback tag, `sha256-<hex>`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import json
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

from sealane.attest.envelope import canonical
from sealane.errors import ConfigError, RegistryFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({INDEX, DOCKER_INDEX})
ACCEPT = f"{INDEX}, {MANIFEST}, {DOCKER_INDEX}, {DOCKER_MANIFEST}"

MAX_BYTES = 64 << 20
MAX_PAGES = 100
ATTEMPTS = 4
MAX_WAIT_SECONDS = 60.0
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_REF = re.compile(
    r"(?P<host>[\w.-]+(?::\d+)?|\[[\da-fA-F:]+\](?::\d+)?)/(?P<path>[a-z\d]+(?:[._/-]+[a-z\d]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[\da-f]{64}))?"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Address:
    """Where an image is: registry, repository, and a tag or a digest (which wins)."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def identifier(self) -> str:
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag or 'latest'}"


def address(text: str) -> Address:
    """`ghcr.io/owner/name:tag`. The registry must be named: nothing is published to Docker Hub by accident.

    Raises ConfigError (`bad-reference`).
    """
    found = _REF.fullmatch(text)
    host = found["host"] if found else ""
    if not found or not ("." in host or ":" in host or host == "localhost"):
        raise ConfigError(
            f"{text!r} is no image's address",
            reason="bad-reference",
            hint="Write it as registry/repository:tag, the repository in lower case: ghcr.io/owner/name:v1",
        )
    return Address(host, found["path"], found["tag"] or "", found["digest"] or "")


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of a blob or of another manifest."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str = ""
    platform: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found | ({"artifactType": self.artifact_type} if self.artifact_type else {})


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's bytes and what they say."""

    digest: str
    media_type: str
    data: bytes
    body: Mapping[str, Any]

    @property
    def artifact_type(self) -> str:
        return str(self.body.get("artifactType") or (self.body.get("config") or {}).get("mediaType") or "")

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES

    def described(self) -> Descriptor:
        return Descriptor(self.media_type, self.digest, len(self.data), artifact_type=self.artifact_type)

    def blobs(self, key: str = "layers") -> tuple[Descriptor, ...]:
        return tuple(descriptor(each) for each in self.body.get(key) or ())


def descriptor(found: Mapping[str, Any]) -> Descriptor:
    """Raises RegistryFailed (`bad-manifest`)."""
    try:
        where = found.get("platform") or {}
        platform = "/".join(str(where[name]) for name in ("os", "architecture", "variant") if where.get(name))
        annotations = {str(k): str(v) for k, v in (found.get("annotations") or {}).items()}
        kind = str(found.get("artifactType") or "")
        return Descriptor(
            str(found["mediaType"]), str(found["digest"]), int(found["size"]), annotations, kind, platform
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegistryFailed(f"a manifest's descriptor can't be read: {error!r}", reason="bad-manifest") from None


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest_of(media_type: str, body: Mapping[str, Any]) -> Manifest:
    """A manifest that is to be pushed."""
    data = canonical(body)
    return Manifest(digest_of(data), media_type, data, body)


class Repository:
    """One repository of a registry, as a client.

    `endpoint` is where to connect when that isn't what the address says, `trust` whose certificates are taken there.
    """

    def __init__(
        self, where: Address, login: Login | None = None, *, endpoint: str = "", trust: ssl.SSLContext | None = None
    ) -> None:
        self.where = where
        self._login = login
        local = _is_loopback(where.host)
        name = "registry-1.docker.io" if where.host == "docker.io" else where.host
        self._base = endpoint or f"{'http' if local else 'https'}://{name}"
        self._token = ""
        self._http = httpx.AsyncClient(
            verify=trust or ssl.create_default_context(),
            timeout=httpx.Timeout(60.0, connect=10.0),
            follow_redirects=True,  # httpx leaves the credentials behind when it leads to another host
            headers={"User-Agent": "sealane", "Accept-Encoding": "identity"},
            trust_env=not local and not endpoint,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    # -------------------------------------------------------------- reading
    async def manifest(self, identifier: str) -> Manifest | None:
        """A manifest by tag or digest; None when there is none."""
        response = await self._ask("GET", f"manifests/{identifier}", headers={"Accept": ACCEPT}, allowed=(200, 404))
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        data = self._checked(response.content, identifier)
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        try:
            body = json.loads(data)
            return Manifest(digest_of(data), str(body.get("mediaType") or kind), data, body)
        except (ValueError, AttributeError, RecursionError) as error:
            raise self._failed(f"manifest {identifier} can't be read: {error!r}", "bad-manifest") from None

    async def blob(self, wanted: Descriptor) -> bytes:
        if not 0 <= wanted.size <= MAX_BYTES:
            raise self._failed(f"blob {wanted.digest} says it has {wanted.size} bytes", "bad-manifest")
        response = await self._ask("GET", f"blobs/{wanted.digest}", allowed=(200,))
        return self._checked(response.content, wanted.digest)

    async def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What is attached to an image, all pages of it."""
        listed: list[Descriptor] = []
        page = f"referrers/{digest}"
        for _ in range(MAX_PAGES):
            response = await self._ask("GET", page, headers={"Accept": INDEX}, allowed=(200, 404))
            kind = response.headers.get("content-type", "").partition(";")[0].strip()
            if response.status_code != httpx.codes.OK or kind != INDEX:
                found = await self.manifest(fallback_tag(digest))
                return found.blobs("manifests") if found and found.is_index else ()
            listed += Manifest("", INDEX, b"", _json(response.content)).blobs("manifests")
            following = response.links.get("next", {}).get("url")
            if not following:
                return tuple(listed)
            page = urljoin(str(response.request.url), following)
        raise self._failed(f"its list of what is attached to {digest} has no end", "bad-manifest")

    # -------------------------------------------------------------- writing
    async def put_blob(self, media_type: str, data: bytes, annotations: Mapping[str, str] | None = None) -> Descriptor:
        digest = digest_of(data)
        found = await self._ask("HEAD", f"blobs/{digest}", allowed=(200, 404))
        if found.status_code == httpx.codes.NOT_FOUND:
            begun = await self._ask("POST", "blobs/uploads/", allowed=(202,))
            place = urljoin(str(begun.request.url), begun.headers.get("location", ""))
            url = str(httpx.URL(place).copy_add_param("digest", digest))
            kind = {"Content-Type": "application/octet-stream"}
            await self._ask("PUT", url, headers=kind, content=data, allowed=(201, 204))
        return Descriptor(media_type, digest, len(data), annotations or {})

    async def put(self, made: Manifest, tag: str = "") -> bool:
        """Push a manifest by its digest, or under a tag. Answers whether the registry has listed it with its subject."""
        response = await self._ask(
            "PUT",
            f"manifests/{tag or made.digest}",
            headers={"Content-Type": made.media_type},
            content=made.data,
            allowed=(200, 201, 202, 204),
        )
        return "oci-subject" in response.headers

    async def attach(self, made: Manifest, subject: str) -> None:
        """Push what names `subject`, and see to it that it is found from there."""
        if await self.put(made):
            return
        tag = fallback_tag(subject)
        known = await self.manifest(tag)
        entries = known.blobs("manifests") if known and known.is_index else ()
        kept = [each for each in entries if each.digest != made.digest and not _replaced(each, made)]
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [e.as_json() for e in (*kept, made.described())]}
        await self.put(manifest_of(INDEX, body), tag)

    # -------------------------------------------------------------- requests
    def _checked(self, data: bytes, identifier: str) -> bytes:
        if identifier.startswith("sha256:") and digest_of(data) != identifier:
            raise self._failed(f"{identifier} has other content: {digest_of(data)}", "digest-mismatch")
        return data

    async def _ask(
        self,
        method: str,
        what: str,
        *,
        allowed: Sequence[int],
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """An answer with one of the `allowed` codes. A busy registry is asked again when it says so."""
        url = what if "://" in what else f"{self._base}/v2/{self.where.path}/{what}"
        tried_login = False
        for attempt in range(ATTEMPTS):
            sent = dict(headers or {})
            if self._token and urlsplit(url).netloc == urlsplit(self._base).netloc:
                sent["Authorization"] = self._token
            try:
                response = await self._read(method, url, sent, content)
            except httpx.TransportError as error:
                if attempt + 1 < ATTEMPTS:
                    await asyncio.sleep(0.2 * 2**attempt)
                    continue
                said = str(error) or type(error).__name__
                raise self._failed(f"{self.where.host} can't be reached: {said}", "registry-unreachable") from None
            if response.status_code in allowed:
                return response
            if response.status_code == httpx.codes.UNAUTHORIZED and not tried_login:
                tried_login = True
                await self._authorize(response.headers.get("www-authenticate", ""))
                continue
            wait = _retry_after(response, attempt)
            if response.status_code not in _BUSY or attempt + 1 == ATTEMPTS or wait > MAX_WAIT_SECONDS:
                break
            await asyncio.sleep(wait)
        said = response.content[:300].decode(errors="replace").strip()
        raise self._failed(f"it answers {response.status_code} to {method} {urlsplit(url).path}: {said}")

    async def _read(self, method: str, url: str, headers: dict[str, str], content: bytes | None) -> httpx.Response:
        async with self._http.stream(method, url, headers=headers, content=content) as response:
            data = bytearray()
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > MAX_BYTES:
                    raise self._failed(f"{url} has more than {MAX_BYTES} bytes", "bad-manifest")
        plain = {k: v for k, v in response.headers.items() if k not in ("content-encoding", "content-length")}
        return httpx.Response(response.status_code, headers=plain, content=bytes(data), request=response.request)

    async def _authorize(self, challenge: str) -> None:
        scheme, _, rest = challenge.partition(" ")
        basic = ""
        if self._login:
            pair = f"{self._login.username}:{self._login.secret}".encode()
            basic = f"Basic {base64.b64encode(pair).decode()}"
        if scheme.lower() == "basic":
            if not basic:
                raise self._failed("it wants a login", "registry-refused")
            self._token = basic
            return
        asked = dict(_CHALLENGE.findall(rest))
        realm = asked.get("realm", "")
        if scheme.lower() != "bearer" or not (realm.startswith("https://") or _is_loopback(self.where.host)):
            raise self._failed(f"it asks for a login by {challenge[:100]!r}", "registry-refused")
        scope = f"repository:{self.where.path}:pull,push" if self._login else f"repository:{self.where.path}:pull"
        query = {"scope": scope} | ({"service": asked["service"]} if "service" in asked else {})
        answer = await self._read(
            "GET", str(httpx.URL(realm, params=query)), {"Authorization": basic} if basic else {}, None
        )
        token = _json(answer.content).get("token") or _json(answer.content).get("access_token")
        if answer.status_code != httpx.codes.OK or not isinstance(token, str) or not token.isprintable():
            raise self._failed(f"its token service answers {answer.status_code}", "registry-refused")
        self._token = f"Bearer {token}"

    def _failed(self, what: str, reason: str = "registry-refused") -> RegistryFailed:
        hint = {
            "registry-refused": f"Give `username` and `secret`, or log in with `docker login {self.where.host}`.",
            "registry-unreachable": "Check the address and the connection, then try again: nothing is pushed twice.",
        }.get(reason, "")
        return RegistryFailed(f"{self.where.repository}: {what}", reason=reason, hint=hint)


def fallback_tag(digest: str) -> str:
    return digest.replace(":", "-")


def _replaced(old: Descriptor, made: Manifest) -> bool:
    """Whether an entry of the list is what we attached the last time: of one kind there is one."""
    return bool(old.artifact_type) and old.artifact_type == made.artifact_type


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _retry_after(response: httpx.Response, attempt: int) -> float:
    said = response.headers.get("retry-after", "")
    return float(said) if said.isdigit() else 0.2 * 2**attempt


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
