"""What commits added, written into files: from patches of a real Git."""

import io
import json
import subprocess
from pathlib import Path

import pytest

from sealane.stages.scanners import added
from sealane.stages.scripts import unroll

pytestmark = pytest.mark.needs("git")


def git(folder: Path, *words: str) -> None:
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, check=True)


def commit(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "commit 0000\n\n+++ b/message\n@@ -0,0 +1 @@\n+no file")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def unrolled(repository: Path) -> list[tuple[str, int, str]]:
    """(path, first line, text) of what is written, in its order."""
    patch, out = repository.parent / "patch", repository.parent / "out"
    words = [f"--output={patch}" if word.startswith("--output=") else word for word in added._LOG]
    subprocess.run(words, cwd=repository, check=True)
    out.mkdir()
    with patch.open("rb") as opened:
        unroll.unroll(opened, out)
    index = json.loads((out / "index.json").read_text())
    return [(path, first, (out / f"{n}.txt").read_bytes().decode()) for n, (_, path, first) in enumerate(index)]


def test_what_came_and_went_is_there_at_its_line(repository: Path):
    commit(repository, {"a.env": "one\ntwo\n"})
    commit(repository, {"a.env": "one\nsecret\ntwo\nlast"})
    commit(repository, {"a.env": "one\n"})
    assert unrolled(repository) == [("a.env", 1, "one\ntwo\n"), ("a.env", 2, "secret\n"), ("a.env", 4, "last\n")]


def test_a_branch_and_what_only_its_merge_brings_are_there_once(repository: Path):
    commit(repository, {"a": "a\n"})
    git(repository, "checkout", "-q", "-b", "side")
    commit(repository, {"b": "b\n"})
    git(repository, "checkout", "-q", "main")
    commit(repository, {"c": "c\n"})
    git(repository, "merge", "-q", "--no-commit", "side")
    commit(repository, {"evil": "only here\n"})
    assert sorted(unrolled(repository)) == [
        ("a", 1, "a\n"),
        ("b", 1, "b\n"),
        ("c", 1, "c\n"),
        ("evil", 1, "only here\n"),
    ]


@pytest.mark.parametrize("name", ["with space.txt", 'a"quote', "back\\slash", "new\nline", "ünï/cödé.txt", "tab\tbed"])
def test_names_are_those_of_the_files(repository: Path, name: str):
    commit(repository, {name: "x\n"})
    assert unrolled(repository) == [(name, 1, "x\n")]


def test_a_file_that_looks_like_a_patch_is_none(repository: Path):
    text = "commit ffff\n--- a/x\n+++ b/elsewhere\n@@ -1 +1 @@\n+x\n"
    commit(repository, {"a.patch": text})
    commit(repository, {"a.patch": ""})
    assert unrolled(repository) == [("a.patch", 1, text)]


def test_no_attribute_or_setting_hides_a_file_and_binary_ones_are_left_out(repository: Path):
    git(repository, "config", "diff.noprefix", "true")
    git(repository, "config", "diff.renames", "copies")
    commit(repository, {".gitattributes": "*.key -diff binary\n", "a.key": "secret\n", "image": "a\0b\n"})
    found = unrolled(repository)
    assert ("a.key", 1, "secret\n") in found
    assert "image" not in {path for path, _, _ in found}


def test_more_than_a_scanner_gets_through_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unroll, "_MOST", 1)
    hunks = b"".join(b"+++ b/%d\n@@ -0,0 +1 @@\n+%d\n" % (n, n) for n in range(2))
    with pytest.raises(SystemExit) as ended:
        unroll.unroll(io.BytesIO(b"commit aa\n" + hunks), tmp_path)
    assert ended.value.code == added._TOO_MUCH


def test_a_patch_that_is_cut_off_does_not_hang(tmp_path: Path):
    unroll.unroll(io.BytesIO(b"commit aa\n+++ b/x\n@@ -1,9 +1,9 @@\n-a\n"), tmp_path)
    assert json.loads((tmp_path / "index.json").read_text()) == []
