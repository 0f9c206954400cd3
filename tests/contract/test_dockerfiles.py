"""The table of Dockerfiles (tests/golden/dockerfile): each is built by a session of ours and looked at from outside.

Expectations are written from the Dockerfile reference, whose section each case names. All cases are built at once by
one client; the tests then compare.
"""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any

import anyio
import dagger
import pytest

from .servers import commit, git

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

TABLE = Path(__file__).parents[1] / "golden" / "dockerfile"
AT_ONCE = 8
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@dataclass(frozen=True)
class Node:
    """An entry of an image: what `tarfile` says of it, and its content."""

    info: tarfile.TarInfo
    data: bytes


@dataclass(frozen=True)
class Outcome:
    files: dict[str, Node] = field(default_factory=dict)
    image: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    reason: str = ""


def read_cases() -> dict[str, dict[str, Any]]:
    cases = {}
    for path in sorted(TABLE.glob("*.toml")):
        for case in tomllib.loads(path.read_text())["case"]:
            name = f"{path.stem}: {case['name']}"
            assert name not in cases, f"two cases are called {name}"
            cases[name] = case
    return cases


CASES = read_cases()


# ---- what cases are built from


def archive(files: Mapping[str, str], owner: str = "0:0", compressed: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o644
            member.uid, member.gid = (int(each) for each in owner.split(":"))
            made.addfile(member, io.BytesIO(text.encode()))
    return COMPRESSORS[compressed](out.getvalue()) if compressed else out.getvalue()


def write_context(folder: Path, case: Mapping[str, Any], names: Mapping[str, str]) -> None:
    folder.mkdir()
    files = dict(case.get("context", {}))
    if "dockerfile" in case:
        files["Dockerfile"] = case["dockerfile"].removeprefix("\n")
    for name, what in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, str):
            for placeholder, value in names.items():
                what = what.replace(f"{{{placeholder}}}", value)  # noqa: PLW2901
            path.write_bytes(what.encode())
        elif "link" in what:
            path.symlink_to(what["link"])
        elif "tar" in what:
            path.write_bytes(archive(what["tar"], what.get("owner", "0:0"), what.get("compressed", "")))
        else:
            path.write_text(what["text"])
            path.chmod(int(what["mode"], 8))


class Web(BaseHTTPRequestHandler):
    """A server with a few files, one of them for those who have its token, and the repositories below `repositories`."""

    repositories: Path

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        bodies = {"/hello.txt": b"hello", "/in.tar": archive({"f": "1"})}
        at = self.repositories / path.lstrip("/")
        if ".git/" in path and ".." not in path and at.is_file():
            bodies[path] = at.read_bytes()
        if path == "/locked" and self.headers.get("Authorization") == "Bearer open sesame":
            bodies["/locked"] = b"unlocked"
        body = bodies.get(path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Last-Modified", LAST_MODIFIED)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


def make_repository(folder: Path) -> str:
    """A repository `repo.git` with a tag v1, as a server of nothing but files serves it; answers the tag's commit."""
    work, bare = folder / "work", folder / "repo.git"
    work.mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch=main")
    commit(work, "docs/guide.txt", "guide")
    first = commit(work, "run.sh", "one")
    git(work, "tag", "v1")
    commit(work, "run.sh", "two")
    git(folder, "clone", "--quiet", "--bare", "--no-local", str(work), str(bare))
    git(bare, "update-server-info")
    return first


@contextmanager
def web(repositories: Path) -> Iterator[str]:
    Web.repositories = repositories
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


# ---- what came out


def read_image(path: Path) -> Outcome:
    """The files and the configuration of an OCI layout in a tar, its layers put on top of each other."""
    with tarfile.open(path) as layout:

        def blob(digest: str) -> bytes:
            file = layout.extractfile("blobs/" + digest.replace(":", "/"))
            assert file is not None
            return file.read()

        index = layout.extractfile("index.json")
        assert index is not None
        manifest = json.loads(blob(json.load(index)["manifests"][0]["digest"]))
        files: dict[str, Node] = {}
        for layer in manifest["layers"]:
            put_layer(files, blob(layer["digest"]))
        return Outcome(files, json.loads(blob(manifest["config"]["digest"])))


def put_layer(files: dict[str, Node], data: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(data)) as layer:
        for info in layer:
            path = "/" + info.name.strip("/").removeprefix("./")
            folder, _, name = path.rpartition("/")
            if name.startswith(".wh."):
                gone = f"{folder}/{name.removeprefix('.wh.')}"
                for each in [each for each in files if each == gone or each.startswith(f"{gone}/")]:
                    del files[each]
                continue
            content = layer.extractfile(info) if info.isfile() else None
            files[path] = Node(info, content.read() if content else b"")


async def build(client: dagger.Client, name: str, case: Mapping[str, Any], folder: Path) -> Outcome:
    built = (
        client.host()
        .directory(str(folder / "context"))
        .docker_build(
            dockerfile=case.get("file", "Dockerfile"),
            target=case.get("target", ""),
            build_args=[dagger.BuildArg(each, value) for each, value in case.get("args", {}).items()],
            secrets=[client.set_secret(each, value) for each, value in case.get("secrets", {}).items()],
        )
    )
    target = folder / "image.tar"
    try:
        await built.as_tarball(forced_compression=dagger.ImageLayerCompression.Uncompressed).export(str(target))
    except dagger.ExecError as error:
        return Outcome(error=f"{error.message}\n{error.stdout}\n{error.stderr}", reason="exec-failed")
    except dagger.QueryError as error:
        return Outcome(error=str(error), reason=str((error.error.extensions or {}).get("reason")))
    return await asyncio.to_thread(read_image, target)


async def build_all(folder: Path, names: Mapping[str, str]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def one(client: dagger.Client, number: int, name: str, case: Mapping[str, Any]) -> None:
        async with limit:
            place = folder / str(number)
            place.mkdir()
            write_context(place / "context", case, names)
            outcomes[name] = await build(client, name, case, place)

    async with dagger.Connection() as client, anyio.create_task_group() as group:
        for number, (name, case) in enumerate(CASES.items()):
            group.start_soon(one, client, number, name, case)
    return outcomes


@pytest.fixture(scope="module")
def outcomes(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder = tmp_path_factory.mktemp("dockerfiles")
    commit_of_tag = make_repository(folder / "repositories")
    with pytest.MonkeyPatch.context() as patch, web(folder / "repositories") as address:
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            patch.setenv(name, environ[name])
        return anyio.run(build_all, folder, {"http": address, "run": token_hex(8), "commit": commit_of_tag})


@pytest.mark.parametrize("name", CASES)
def test_a_dockerfile_gives_what_the_reference_says(name: str, outcomes: dict[str, Outcome]):
    case, outcome = CASES[name], outcomes[name]
    if "error" in case:
        check_error(case, outcome)
    else:
        assert not outcome.error
        check_files(case, outcome.files)
        check_image(case, outcome.image)


def check_error(case: Mapping[str, Any], outcome: Outcome) -> None:
    assert outcome.error, "it was built"
    if case["error"] != "*":
        assert outcome.reason == case["error"], outcome.error
    assert case.get("says", "") in outcome.error
    if "line" in case:
        found = re.search(r"(?:line |Dockerfile:)(\d+)", outcome.error)
        assert found is not None, outcome.error
        assert int(found[1]) == case["line"], outcome.error


def check_files(case: Mapping[str, Any], files: Mapping[str, Node]) -> None:
    assert {path: files[path].data.decode() if path in files else None for path in case.get("files", {})} == case.get(
        "files", {}
    )
    assert {path: f"{files[path].info.mode:04o}" for path in case.get("modes", {})} == case.get("modes", {})
    assert {path: f"{files[path].info.uid}:{files[path].info.gid}" for path in case.get("owners", {})} == case.get(
        "owners", {}
    )
    assert {path: files[path].info.linkname for path in case.get("links", {})} == case.get("links", {})
    assert [path for path in case.get("present", ()) if path not in files] == []
    assert [path for path in case.get("absent", ()) if path in files] == []


def check_image(case: Mapping[str, Any], image: Mapping[str, Any]) -> None:
    expected, config = case.get("config", {}), image.get("config", {})
    assert {name: config.get(name) for name in expected} == expected
    assert [name for name in case.get("unset", ()) if name in config] == []
    assert image.get("author", "") == case.get("author", "")
