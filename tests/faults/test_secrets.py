"""A secret that goes every way that secrets go is found nowhere afterwards: store, events, log, errors, processes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from .conftest import IMAGE, container, engine, step

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(300)]

SHAPES = {
    "token": "ghp_{}AbCdEf0123",
    "signs": 'p@ss"{}\\w/ö&rd+%',
    "lines": "-----BEGIN KEY-----\n{}MIIEvQIBADANBg\nkqhkiG9w0BAQEF{}\n-----END KEY-----\n",
    "padded": "  {}c2VjcmV0LXZhbHVl==\n",
    "json": '{{"user":"{}","password":"hunter{}"}}',
}


def canaries() -> dict[str, str]:
    mark = f"{time.time_ns():x}"
    return {name: shape.format(*[mark] * shape.count("{}")) for name, shape in SHAPES.items()}


def forms(secret: str) -> Iterator[bytes]:
    """What would give a secret away."""
    for text in {secret, secret.strip(), *(line for line in secret.split("\n") if len(line) > 20)}:
        raw = text.encode()
        yield raw
        yield raw.hex().encode()
        yield quote(text, safe="").encode()
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + raw)
            yield encoded[(0, 2, 3)[offset] : (len(raw) + offset) * 8 // 6]


def giveaways(data: bytes, secrets: dict[str, str]) -> list[str]:
    return [f"{name}: {form[:40]!r}" for name, secret in secrets.items() for form in forms(secret) if form in data]


def recent(home: Path, since: float) -> Iterator[tuple[str, bytes]]:
    """What changed in a store since then; other engines may be at work in it."""
    command = ["find", str(home), "-type", "f", "-newerct", f"@{since}", "-print0"]
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    for path in filter(None, found.split("\0")):
        with suppress(OSError):
            yield path, Path(path).read_bytes()


def outside() -> Iterator[tuple[str, bytes]]:
    """Arguments and environment of every process of this machine that is in no sandbox and isn't a test."""
    mine = Path("/proc/self/ns/user").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and (process / "ns/user").readlink() == mine:
                for name in ("cmdline", "environ"):
                    yield f"{process.name} {name}", (process / name).read_bytes()
        except OSError:
            continue


def shown(names: str) -> str:
    """A script that shows a variable and a file in every way that it can."""
    every = (
        "cat",
        "base64 -w0",
        "(printf x; cat) | base64 -w0",
        "(printf xx; cat) | base64 -w0",
        "od -An -v -tx1 | tr -d ' \\n'",
    )
    return "; echo; ".join(f"{names} | ({way})" for way in every)


def test_a_secret_is_found_nowhere_afterwards(shared_home: Path, tmp_path: Path):
    secrets = canaries()
    since = time.time() - 1
    said: list[str] = []
    scratch = tmp_path / "engine"
    scratch.mkdir()
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN --mount=type=secret,id=token cat /run/secrets/token; test -s /run/secrets/token\n"
    )
    with engine(shared_home, scratch) as running:
        for name, secret in secrets.items():
            made = running.data(
                "query($name: String!, $text: String!) {setSecret(name:$name,plaintext:$text){id}}",
                name=name,
                text=secret,
            )
            both = f'withSecretVariable(name:"S",secret:"{made}"){{withMountedSecret(path:"/run/s",source:"{made}"){{'
            script = shown('printf %s "$S"') + "; " + shown("cat /run/s") + f"; echo {time.time_ns()}"
            said.append(running.data(step(script, before=both)))
            said.append(json.dumps(running.query(step(script + " >&2; false", before=both))))
            said.append(json.dumps(running.query(step("cat /run/s >/leak; exit 3", before=both))))
            started = container(both + 'asService(args:["sh","-c","cat /run/s; printenv S; sleep 60"]){start}}}')
            assert "errors" not in running.query(started)
            unhealthy = (
                both
                + 'withDockerHealthcheck(args:["sh","-c","cat /run/s; printenv S; exit 1"],retries:1,interval:"1s",timeout:"5s"){'
                'asService(args:["sleep","60"]){start}}}}'
            )
            answer = running.query(container(unhealthy))
            assert "errors" in answer
            said.append(json.dumps(answer))
            built = f'{{host{{directory(path:"{tmp_path}/context"){{dockerBuild(secrets:["{made}"]){{file(path:"/etc/hostname"){{size}}}}}}}}}}'
            said.append(json.dumps(running.query(built)))
            exported = container(both + f'export(path:"{tmp_path}/{name}.tar")}}}}')
            assert "errors" not in running.query(exported)
            assert not giveaways((tmp_path / f"{name}.tar").read_bytes(), {name: secret})
        found = [f"{where}: {each}" for where, data in outside() for each in giveaways(data, secrets)]
        assert not found
    for text in said:
        assert not giveaways(text.encode(), secrets), text[:500]
    kept = [(str(path), path.read_bytes()) for path in (running.log, running.events)]
    for where, data in (*kept, *recent(shared_home, since)):
        assert not giveaways(data, secrets), where
