"""Paths and links that lead out: of a host directory, an export, a build context, a volume, an image."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Engine, container, step

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(120)]

CANARY = "only the host has this"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file of the host that nothing here has a right to."""
    path = tmp_path / "canary"
    path.write_text(CANARY)
    return path


@pytest.fixture
def source(tmp_path: Path, canary: Path) -> Path:
    """A directory whose links lead out of it, in all ways."""
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "absolute").symlink_to(canary)
    (folder / "relative").symlink_to("../canary")
    (folder / "above").symlink_to("..")
    (folder / "sub" / "file").write_text("mine")
    return folder


def directory(running: Engine, path: Path) -> str:
    return str(running.data(f'{{host{{directory(path:"{path}"){{id}}}}}}'))


def load(ident: str, leaf: str) -> str:
    return f'{{loadDirectoryFromID(id:"{ident}"){{{leaf}}}}}'


@pytest.mark.parametrize(
    "path", ["absolute", "relative", "above/canary", "../canary", "sub/../../canary", "/../canary"]
)
def test_a_host_directorys_links_end_in_it(running: Engine, source: Path, path: str):
    ident = directory(running, source)
    for leaf in (f'file(path:"{path}"){{contents}}', f'directory(path:"{path}"){{entries}}'):
        answer = running.query(load(ident, leaf))
        assert answer["errors"]
        assert answer["errors"][0]["extensions"]["reason"] not in ("internal-error", "syntax")
    mounted = 'withMountedFile(path:"/f",source:"{}"){'
    made = running.query(load(ident, f'file(path:"{path}"){{id}}'))
    if "errors" not in made:
        file = made["data"]["loadDirectoryFromID"]["file"]["id"]
        said = json.dumps(running.query(step("cat /f", before=mounted.replace("{}", file))))
        assert CANARY not in said
        assert "internal-error" not in said
        assert "syntax" not in said


@pytest.mark.parametrize(
    "line",
    ["COPY ../canary /x", "COPY absolute /x", "COPY relative /x", "COPY above/canary /x", "ADD ../canary /x", "COPY . /x/",
     "RUN --mount=type=bind,source=../canary,target=/x cat /x", "RUN --mount=type=bind,source=absolute,target=/x cat /x"],
)  # fmt: skip
def test_a_build_context_ends_where_it_ends(running: Engine, source: Path, line: str):
    text = f"FROM debian:bookworm-slim\n{line}\nRUN grep -r . /x* || true # {time.time_ns()}\n"
    (source / "Dockerfile").write_text(text)
    said = running.query(
        load(directory(running, source), 'dockerBuild{withExec(args:["sh","-c","cat /x /x/*"]){stdout}}')
    )
    assert CANARY not in json.dumps(said)
    assert "internal-error" not in json.dumps(said)
    assert "syntax error" not in json.dumps(said)


def test_an_export_does_not_leave_its_destination(running: Engine, tmp_path: Path, canary: Path):
    destination = tmp_path / "out"
    destination.mkdir()
    (destination / "a").symlink_to(tmp_path)
    (destination / "b").symlink_to(canary)
    made = 'directory{withNewFile(path:"a/canary",contents:"x"){withNewFile(path:"b",contents:"x"){'
    running.data("{" + made + f'export(path:"{destination}")}}}}}}}}')
    assert canary.read_text() == CANARY
    assert (destination / "a" / "canary").read_text() == "x"
    assert (destination / "b").read_text() == "x"


def test_links_that_an_export_makes_are_not_followed_by_the_next(running: Engine, tmp_path: Path, canary: Path):
    destination = tmp_path / "out"
    running.data(f'{{directory{{withSymlink(target:"{tmp_path}",linkName:"a"){{export(path:"{destination}")}}}}}}')
    running.data(f'{{directory{{withNewFile(path:"a/canary",contents:"x"){{export(path:"{destination}")}}}}}}')
    assert canary.read_text() == CANARY


@pytest.mark.parametrize("name", ["/etc", "/proc", "/dev", "/sys", "/etc/resolv.conf", "/etc/hosts", "/run"])
def test_an_image_whose_places_are_links_reaches_nothing(running: Engine, tmp_path: Path, canary: Path, name: str):
    target = str(tmp_path) if name.count("/") == 1 else str(canary)
    script = f"cat {name}{'/canary' if name.count('/') == 1 else ''}; true # {time.time_ns()}"
    before = (
        f'withoutDirectory(path:"{name}"){{withoutFile(path:"{name}"){{withSymlink(target:"{target}",linkName:"{name}"){{'
        'withMountedTemp(path:"/run/x/y"){'
    )
    said = json.dumps(running.query(step(script, before=before)))
    assert CANARY not in said
    assert "internal-error" not in said
    assert "syntax" not in said
    assert sorted(each.name for each in tmp_path.iterdir()) == ["canary"]
    assert canary.read_text() == CANARY


def test_a_volumes_owner_cannot_turn_it_into_a_link(running: Engine, canary: Path):
    volume = running.data(f'{{cacheVolume(key:"links-{time.time_ns()}"){{id}}}}')
    before = f'withMountedCache(path:"/v",cache:"{volume}"){{'
    running.data(step(f"rm -rf /v; ln -sfn {canary.parent} /v/x; ln -sfn / /v/data; echo done", before=before))
    assert CANARY not in json.dumps(running.query(step("cat /v/x/canary /v/canary; true", before=before)))


@pytest.mark.parametrize("owner", ["65536", "4294967295", "0:65536", "-1", "99999999999999999999"])
def test_ids_beyond_the_range_are_refused_by_name(running: Engine, owner: str):
    for call in (f'withUser(name:"{owner}"){{withExec(args:["id"]){{stdout}}}}',
                 f'withNewFile(path:"/f",contents:"x",owner:"{owner}"){{file(path:"/f"){{contents}}}}'):  # fmt: skip
        answer = running.query(container(call))
        assert answer["errors"], answer
        assert answer["errors"][0]["extensions"].get("reason") not in ("internal-error", "syntax"), answer


def test_a_file_with_an_owner_beyond_the_range_cannot_be_made_in_a_step(running: Engine):
    answer = running.query(step(f"touch /f && chown 70000 /f # {time.time_ns()}"))
    assert answer["errors"][0]["extensions"]["exitCode"] == 1


@pytest.mark.needs("git")
def test_a_repository_runs_nothing_on_the_host_and_reads_nothing_of_it(running: Engine, tmp_path: Path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "file").write_text(f"of {folder.name}")
        for args in (
            ("init", "-q", "-b", "main"),
            ("add", "."),
            ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
        ):
            subprocess.run(["git", *args], cwd=folder, check=True)
    secret = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ours, check=True, capture_output=True, text=True
    ).stdout.strip()
    plant = f"touch {tmp_path}/planted"
    (theirs / ".git" / "config").write_text(
        f"[core]\nrepositoryformatversion = 1\nbare = false\nsshCommand = {plant}\nfsmonitor = {plant}\npager = {plant}\n"
        f"gitProxy = {plant}\nalternateRefsCommand = {plant}\nworktree = {ours}\n[include]\npath = {ours}/.git/config\n"
        '[extensions]\npartialClone = origin\n[remote "origin"]\nurl = ssh://nowhere/x\npromisor = true\n'
        f'uploadpack = {plant}\n[uploadpack]\npackObjectsHook = {plant}\n[filter "x"]\nsmudge = {plant}\nprocess = {plant}\n'
    )
    (theirs / ".git" / "info" / "attributes").write_text("* filter=x\n")
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc"):
        (theirs / ".git" / "hooks" / hook).write_text(f"#!/bin/sh\n{plant}\n")
        (theirs / ".git" / "hooks" / hook).chmod(0o755)
    (theirs / ".git" / "objects" / "info" / "alternates").write_text(f"{ours}/.git/objects\n")
    ident = directory(running, theirs)
    answer = running.query(load(ident, 'asGit{head{tree{file(path:"file"){contents}}}}'))
    assert answer["data"]["loadDirectoryFromID"]["asGit"]["head"]["tree"]["file"]["contents"] == "of theirs"
    for name in (secret, "1" * 40):
        assert running.query(load(ident, f'asGit{{commit(id:"{name}"){{tree{{entries}}}}}}'))["errors"]
    led = tmp_path / "led"
    led.mkdir()
    for make in (
        lambda: (led / ".git").write_text(f"gitdir: {ours}/.git\n"),
        lambda: (led / ".git").symlink_to(ours / ".git"),
    ):
        make()
        assert running.query(load(directory(running, led), "asGit{head{commit}}"))["errors"]
        (led / ".git").unlink()
    assert not (tmp_path / "planted").exists()
