"""What Git says has changed, in real repositories: committed, not committed, untracked, removed, ignored; and why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealane.stages.scripts import changed

SCRIPT = Path(changed.__file__)


def git(folder, *words):
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder, **files):
    for name, text in files.items():
        write(folder, name, text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def write(folder, name, text):
    file = folder / name.replace("__", "/").replace("_py", ".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def ask(repository, tree, path=".", *, head="HEAD", ref="main"):
    words = [sys.executable, str(SCRIPT), "changes", str(repository), str(tree), path, head, ref]
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(Path(repository).parent)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environ)
    return json.loads(done.stdout)


@pytest.fixture
def work(tmp_path):
    """On a branch that parted from main, which has gone on."""
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    base = commit(folder, a_py="a = 1\n", b_py="b = 1\n", c_py="c = 1\n", **{".gitignore": "*.log\n"})
    git(folder, "checkout", "-q", "-b", "feature")
    commit(folder, a_py="a = 2\n")
    git(folder, "checkout", "-q", "main")
    commit(folder, b_py="b = 2\n")
    git(folder, "checkout", "-q", "feature")
    return folder, base


def test_all_that_is_other_than_where_the_branch_parted(work):
    folder, base = work
    write(folder, "c_py", "c = 2\n")  # not committed
    write(folder, "new_py", "")  # untracked
    write(folder, "seen.log", "")  # ignored
    before = (folder / ".git/index").read_bytes()
    told = ask(folder / ".git", folder)
    assert (told["base"], told["changed"], told["removed"]) == (base, ["a.py", "c.py", "new.py"], [])
    assert (folder / ".git/index").read_bytes() == before


def test_what_was_changed_back_did_not_change(work):
    folder, _ = work
    write(folder, "a_py", "a = 1\n")
    assert ask(folder / ".git", folder)["changed"] == []


def test_what_is_gone_and_what_was_forced_in(work):
    folder, _ = work
    (folder / "c.py").unlink()
    write(folder, "kept.log", "")
    git(folder, "add", "-f", "kept.log")
    git(folder, "commit", "-q", "-m", "a log")
    told = ask(folder / ".git", folder)
    assert (told["changed"], told["removed"]) == (["a.py", "kept.log"], ["c.py"])


def test_names_are_told_whole(work):
    folder, _ = work
    strange = ["a b.py", "ä.py", 'quote".py', "line\nbreak.py"]
    for name in strange:
        (folder / name).write_text("")
    assert set(strange) <= set(ask(folder / ".git", folder)["changed"])


def test_a_folder_of_a_repository_by_itself(tmp_path):
    """Only the project's folder is there; what is ignored is said above it."""
    whole = tmp_path / "whole"
    whole.mkdir()
    git(whole, "init", "-q", "-b", "main")
    commit(whole, part__in__a_py="a = 1\n", other_py="", **{".gitignore": "*.log\n"})
    source = tmp_path / "tree" / "part" / "in"
    source.mkdir(parents=True)
    (source / "a.py").write_text("a = 2\n")
    (source / "seen.log").write_text("")
    told = ask(whole / ".git", tmp_path / "tree", "part/in")
    assert (told["changed"], told["removed"]) == (["a.py"], [])


def test_a_branch_that_only_origin_has(work, tmp_path):
    folder, base = work
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--branch", "feature", f"file://{folder}", str(clone))
    assert ask(clone / ".git", clone)["base"] == base
    assert ask(clone / ".git", clone, ref="origin/main")["base"] == base


def test_another_work_tree_is_compared_from_its_own_commit(work, tmp_path):
    folder, _ = work
    other = tmp_path / "other"
    git(folder, "worktree", "add", "-q", str(other), "main")
    head = git(other, "rev-parse", "HEAD")
    told = ask(folder / ".git", other, head=head, ref="HEAD~1")
    assert (told["head"], told["changed"]) == (head, ["b.py"])


def test_why_nothing_can_be_compared(work, tmp_path):
    folder, _ = work
    assert ask(folder / ".git", folder, ref="nowhere") == {"error": "unknown-ref", "shallow": False}
    assert ask(folder / ".git", folder, ref="--all")["error"] == "unknown-ref"
    assert ask(folder / ".git", folder, head="0" * 40)["error"] == "no-head"
    assert ask(tmp_path, folder)["error"] == "no-repository"
    git(folder, "checkout", "-q", "--orphan", "apart")
    commit(folder, a_py="apart")
    assert ask(folder / ".git", folder) == {"error": "no-base", "shallow": False}
    shallow = tmp_path / "shallow"
    git(
        tmp_path,
        "clone",
        "-q",
        "--depth",
        "1",
        "--no-single-branch",
        "--branch",
        "feature",
        f"file://{folder}",
        str(shallow),
    )
    assert ask(shallow / ".git", shallow) == {"error": "no-base", "shallow": True}


def test_the_tree_of_a_commit(work, tmp_path):
    folder, base = work
    to = tmp_path / "base"
    to.mkdir()
    words = [sys.executable, str(SCRIPT), "tree", str(folder / ".git"), str(to), ".", base, str(to)]
    subprocess.run(words, check=True, capture_output=True)
    assert (to / "a.py").read_text() == "a = 1\n"
    assert {each.name for each in to.iterdir()} == {"a.py", "b.py", "c.py", ".gitignore"}
