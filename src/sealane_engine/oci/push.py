"""Push images to a registry: blobs first, then the platforms' manifests, and the tag last.

Who pulls the tag meanwhile sees the old image or the whole new one. Whatever breaks off goes on where it was.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from sealane_engine.errors import ImageError
from sealane_engine.oci import manifest, patience
from sealane_engine.oci.layout import make_index
from sealane_engine.oci.patience import ATTEMPTS
from sealane_engine.oci.registry import Registry, Unreachable, _origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
    from pathlib import Path

    import httpx

    from sealane_engine.oci.layout import Assembled
    from sealane_engine.oci.reference import Reference
    from sealane_engine.store.store import Store

UPLOADS = 4
CHUNK_BYTES = 32 << 20
PIECE_BYTES = 1 << 20
MAX_REDIRECTS = 5
MAX_ANSWER_BYTES = 1 << 20
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


@dataclass(frozen=True, slots=True)
class Source:
    """What is uploaded: a file of the store, or bytes that are at hand."""

    digest: str
    size: int
    path: Path | None = None
    data: bytes = b""

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a window, a piece at a time."""
        if self.path is None:
            yield self.data[start:end]
            return
        with self.path.open("rb") as file:
            file.seek(start)
            while start < end:
                piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, end - start))
                if not piece:
                    raise ImageError(f"blob {self.digest} of the store is cut short", reason="blob-missing")
                start += len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry said: its body is small, or of no interest."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):
    """A connection broke while a request was under way."""


async def push(
    registry: Pusher,
    store: Store,
    ref: Reference,
    images: Sequence[Assembled],
    *,
    media_types: str = "",
    mounts: Sequence[str] = (),
) -> str:
    """Push images (one, or one per platform) and move the tag of `ref` to them; answers the digest that it names now.

    `mounts` are repositories of the same registry that may have some of the layers.
    Raises ImageError (`registry-refused`, `registry-failed`, `registry-unreachable`).
    """
    sources = _sources(store, images)
    lanes = asyncio.Semaphore(UPLOADS)

    async def upload(source: Source) -> None:
        async with lanes:
            await registry.upload(ref.path, source, mounts if source.path else ())

    try:
        await _all([upload(source) for source in sources])
        if len(images) > 1:
            await _all(
                [
                    registry.put_manifest(ref.path, manifest.digest(each.manifest), each.media_type, each.manifest)
                    for each in images
                ]
            )
            media_type, top = make_index(images, media_types)
        else:
            media_type, top = images[0].media_type, images[0].manifest
        await registry.put_manifest(ref.path, ref.tag or "latest", media_type, top)
    except Unreachable as error:
        raise ImageError(
            f"{ref}: the registry can't be reached: {error}",
            reason="registry-unreachable",
            hint="check its address and the connection; what was uploaded is not uploaded again",
        ) from error
    except Broken as error:
        raise ImageError(
            f"{ref}: {error}", reason="registry-failed", hint="try again: what was uploaded is not uploaded again"
        ) from error
    return manifest.digest(top)


async def _all(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; the first error ends the others."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _sources(store: Store, images: Sequence[Assembled]) -> list[Source]:
    """Every blob once, the largest first."""
    found: dict[str, Source] = {}
    for image in images:
        digest = manifest.digest(image.config)
        found[digest] = Source(digest, len(image.config), data=image.config)
        for layer in image.layers:
            blob = layer.descriptor
            found.setdefault(blob.digest, Source(blob.digest, blob.size, store.blob_path(blob.digest)))
    return sorted(found.values(), key=lambda source: -source.size)


class Pusher(Registry):
    """A registry that is written to. The first challenge asks for the right to push; credentials stay with the registry."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._authorizing = asyncio.Lock()
        self._foreign: tuple[str, ...] = ()

    # -------------------------------------------------------------- blobs
    async def upload(self, repository: str, source: Source, mounts: Sequence[str] = ()) -> None:
        """Bring a blob to a repository, unless it is there or in a repository that it can be mounted from."""
        name = f"{self._base}/v2/{repository}/blobs/{source.digest}"
        if (await self.ask("HEAD", name, repository)).status == 200:
            return
        start = f"{self._base}/v2/{repository}/blobs/uploads/"
        location = ""
        for other in mounts:
            if other == repository:
                continue
            answer = await self.ask("POST", f"{start}?{urlencode({'mount': source.digest, 'from': other})}", repository)
            if answer.status == 201:
                return
            location = self._location(answer, start) if answer.status == 202 else location
        await self._upload(repository, source, start, location)

    async def _upload(self, repository: str, source: Source, start: str, location: str) -> None:
        offset, problem = 0, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(patience.backoff(attempt))
            try:
                if not location:
                    location, offset = await self._begin(repository, start), 0
                elif attempt:
                    location, offset = await self._resume(repository, location, start)
                while source.size - offset > CHUNK_BYTES:
                    location = await self._patch(repository, source, location, offset, offset + CHUNK_BYTES)
                    offset += CHUNK_BYTES
                if offset:
                    location = await self._patch(repository, source, location, offset, source.size)
                    offset = source.size
                await self._finish(repository, source, location, offset)
            except Broken as error:
                problem = str(error)
                continue
            return
        raise ImageError(
            f"{self.host}: upload of blob {source.digest} broke off again and again: {problem}",
            reason="registry-failed",
            hint="try again: what is uploaded is not uploaded twice",
        )

    async def _begin(self, repository: str, start: str) -> str:
        answer = await self.ask("POST", start, repository)
        if answer.status != 202:
            raise self._no("POST", start, answer)
        return self._location(answer, start)

    async def _resume(self, repository: str, location: str, start: str) -> tuple[str, int]:
        """Where an upload that broke off stands; a new one when the registry knows it no more."""
        answer = await self.ask("GET", location, repository)
        found = _RANGE.fullmatch(answer.headers.get("range", ""))
        if answer.status != 204:
            return await self._begin(repository, start), 0
        # "0-0" says that nothing came, or one byte: begin again rather than guess
        count = int(found[1]) + 1 if found else 0
        if count <= 1:
            return await self._begin(repository, start), 0
        return self._location(answer, location), count

    async def _patch(self, repository: str, source: Source, location: str, begin: int, end: int) -> str:
        if begin == end:
            return location
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{begin}-{end - 1}"}
        answer = await self.ask("PATCH", location, repository, headers=headers, body=(source, begin, end))
        if answer.status not in (202, 204):
            raise Broken(f"PATCH: {answer.status}") if answer.status == 416 else self._no("PATCH", location, answer)
        return self._location(answer, location)

    async def _finish(self, repository: str, source: Source, location: str, offset: int) -> None:
        parts = urlsplit(location)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("digest", source.digest)])
        url = urlunsplit(parts._replace(query=query))
        body = (source, offset, source.size)
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self.ask("PUT", url, repository, headers=headers, body=body)
        if answer.status == 416:
            raise Broken("PUT: 416")
        if answer.status not in (201, 204):
            raise self._no("PUT", url, answer)
        self._same(answer, source.digest)

    def _location(self, answer: Answer, url: str) -> str:
        location = urljoin(url, answer.headers.get("location", ""))
        if not answer.headers.get("location"):
            raise ImageError(f"{self.host} names no place to upload to", reason="registry-failed")
        if _origin(location) != _origin(self._base):
            self._check_address(location, "sends an upload to")
        return location

    # -------------------------------------------------------------- manifests
    async def put_manifest(self, repository: str, identifier: str, media_type: str, data: bytes) -> None:
        """Put a manifest under a tag or its digest."""
        url = f"{self._base}/v2/{repository}/manifests/{identifier}"
        source = Source(manifest.digest(data), len(data), data=data)
        for attempt in range(ATTEMPTS):
            try:
                answer = await self.ask(
                    "PUT", url, repository, headers={"Content-Type": media_type}, body=(source, 0, len(data))
                )
            except Broken as error:
                if attempt + 1 == ATTEMPTS:
                    raise ImageError(f"{self.host}: {error}", reason="registry-failed", hint="try again") from error
                await asyncio.sleep(patience.backoff(attempt))
                continue
            break
        if answer.status not in (200, 201, 202, 204):
            raise self._no("PUT", url, answer)
        self._same(answer, source.digest)

    def _same(self, answer: Answer, digest: str) -> None:
        claimed = answer.headers.get("docker-content-digest", "")
        if claimed and claimed != digest:
            raise ImageError(
                f"{self.host}: {digest} was sent and {claimed} was taken", reason="digest-mismatch", hint="try again"
            )

    # -------------------------------------------------------------- requests
    async def ask(
        self,
        method: str,
        url: str,
        repository: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: tuple[Source, int, int] | None = None,
    ) -> Answer:
        """An answer, authenticated and from where redirects lead; a busy registry is asked again, when it says so."""
        waits = self.patience.waits(self.host)
        logins = 0
        while True:
            sent = self._tokens.get(repository, "")
            answer = await self._followed_with(method, url, sent, headers or {}, body)
            if answer.status == 401 and logins < 2:
                if not await self._login(answer.headers.get("www-authenticate", ""), repository, sent, logins):
                    raise self._no(method, url, answer)
                logins += 1
            elif (wait := waits.next(answer.status, answer.headers.get("retry-after", ""))) is not None:
                await asyncio.sleep(wait)
                if body is not None:  # how much of it came, the registry must say
                    raise Broken(f"{method} {urlsplit(url).path}: {answer.status}")
            elif answer.status in (401, 403, 429) or answer.status >= 500:
                raise self._no(method, url, answer, waits.hint)
            else:
                return answer

    async def _login(self, challenge: str, repository: str, sent: str, logins: int) -> bool:
        async with self._authorizing:
            if self._tokens.get(repository, "") != sent:
                return True  # another upload has logged in meanwhile
            return await self._authorize(challenge, repository, again=logins > 0)

    def allow_mounts(self, repositories: Sequence[str]) -> None:
        """Ask for the right to read these, too."""
        self._foreign = tuple(repositories)

    def _scopes(self, _asked: Mapping[str, str], repository: str) -> list[str]:
        scopes = {f"repository:{repository}:pull,push": None}
        scopes |= dict.fromkeys(f"repository:{other}:pull" for other in self._foreign if other != repository)
        return list(scopes)

    async def _followed_with(
        self, method: str, url: str, token: str, headers: Mapping[str, str], body: tuple[Source, int, int] | None
    ) -> Answer:
        sent = dict(headers)
        if token and _origin(url) == _origin(self._base):
            sent["Authorization"] = token
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._exchange(method, url, sent, body)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            target = urljoin(url, answer.headers.get("location", ""))
            self._check_address(target, "redirects to")
            if _origin(target) != _origin(url):
                sent.pop("Authorization", None)
            url = target
        raise ImageError(f"{self.host} redirects without end", reason="redirect-loop")

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: tuple[Source, int, int] | None
    ) -> Answer:
        import httpx

        content: Any = None
        sent = {"Accept-Encoding": "identity", **headers}
        if body is not None:
            source, start, end = body
            content = source.read(start, end) if end > start else b""
            sent["Content-Length"] = str(end - start)
        elif method == "POST":
            sent["Content-Length"] = "0"
        try:
            request = self._client().build_request(method, url, headers=sent, content=content)
            response = await self._client().send(request, stream=True)
            try:
                return Answer(response.status_code, dict(response.headers), await _short(response))
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise Unreachable(f"{urlsplit(url).netloc}: {str(error) or 'no connection within 2 seconds'}") from error
        except httpx.TransportError as error:
            raise Broken(f"{method} {urlsplit(url).path}: {str(error) or type(error).__name__}") from error

    def _no(self, method: str, url: str, answer: Answer, hint: str = "") -> ImageError:
        """A registry's no, with its own words."""
        said = answer.body[:300].decode(errors="replace").strip()
        hints = {
            401: f"log in with `docker login {self.host}`, or give credentials with `withRegistryAuth`",
            403: "use credentials that may push to this repository",
            404: "check the name: does the repository exist, and may it be pushed to?",
            413: "the registry, or a proxy before it, takes no upload of this size",
        }
        return ImageError(
            f"{self.host} answers {answer.status} to {method} {urlsplit(url).path}{': ' if said else ''}{said}",
            reason="registry-refused",
            hint=hint or hints.get(answer.status, "try again later"),
        )


async def _short(response: httpx.Response) -> bytes:
    data = bytearray()
    async for piece in response.aiter_raw():
        data += piece
        if len(data) > MAX_ANSWER_BYTES:
            break
    return bytes(data)
