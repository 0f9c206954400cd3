"""Changes to a project, from its linters and its generators, applied to it: once, only there, and never over newer work."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]
Sealane = Callable[..., subprocess.CompletedProcess[str]]
FILES = {
    "pyproject.toml": '[tool.sealane.lint]\ntools = ["black", "isort", "eslint", "prettier"]\n',
    "untidy/__init__.py": "",
    "untidy/words.py": "import sys\nimport os\nWORDS = {  'a':1 }\ndef found(  ):\n    return os.sep, sys.path\n",
    "frontend/package.json": '{"name": "untidy", "version": "1.0.0", "private": true}\n',
    "frontend/src/[page].js": "var   page = !!page ? 1:2\nif (!(!page)) { console.log( page ) }\n",
}


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    """A repository with badly formatted Python and JavaScript, a program and a link to it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "untidy/words.py").chmod(0o755)
    (tmp_path / "untidy/link.py").symlink_to("words.py")
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_lint_fix_mends_a_tree_until_nothing_is_left_to_do(sealane: Sealane, untidy: Path):
    words = untidy / "untidy/words.py"
    refused = sealane("call", "lint", "--fix", cwd=untidy / "untidy")
    assert refused.returncode == 1
    assert f"Run it in {untidy}" in refused.stderr
    assert words.read_text() == FILES["untidy/words.py"]

    done = sealane("call", "lint", "fix", "-y", cwd=untidy)
    assert done.returncode == 0, done.stderr
    assert "untidy/words.py " in done.stderr
    assert "frontend/src/[page].js " in done.stderr
    assert "3 files changed" in done.stderr
    assert words.read_text().startswith("import os\nimport sys\n\nWORDS = {")
    assert os.access(words, os.X_OK)
    assert (untidy / "untidy/link.py").readlink() == Path("words.py")
    assert not (untidy / "frontend/node_modules").exists()

    said = sealane("call", "lint", "summary", cwd=untidy).stdout
    clean = next(line for line in said.splitlines() if line.startswith("- clean: "))
    assert {"black", "isort", "prettier"} <= set(clean.removeprefix("- clean: ").split(", ")), said

    again = sealane("call", "lint", "--fix", cwd=untidy)
    assert (again.returncode, again.stderr) == (0, "no changes to apply\n")


@pytest.fixture
def tender(modules: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", f"{modules}/.", tmp_path], check=True)
    return tmp_path / "tender"


def test_generators_are_listed_and_what_they_make_is_applied(sealane: Sealane, tender: Path):
    listed = sealane("generate", "-l", cwd=tender)
    assert listed.stdout.splitlines() == ["Name    Description", "stamp   Keep STAMP up to date."]
    refused = sealane("generate", cwd=tender)
    assert refused.returncode == 1
    assert "Pass -y to apply them." in refused.stderr
    assert not (tender / "STAMP").exists()
    done = sealane("generate", "-y", "stamp", cwd=tender)
    assert (done.returncode, (tender / "STAMP").read_text()) == (0, "fresh\n"), done.stderr
    again = sealane("generate", cwd=tender)
    assert (again.returncode, again.stderr) == (0, "no changes to apply\n")
    assert sealane("check", cwd=tender).returncode == 0


@pytest.mark.parametrize(("said", "there"), [("n", False), ("", False), ("y", True)])
def test_a_terminal_is_asked(tender: Path, environ: dict[str, str], said: str, there: bool):
    leader, terminal = pty.openpty()
    os.write(leader, f"{said}\n".encode())
    command = ["sealane", "--silent", "generate"]
    with subprocess.Popen(command, cwd=tender, env=environ, stdin=terminal, stdout=terminal, stderr=terminal) as asking:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while part := os.read(leader, 4096):
                shown += part
        os.close(leader)
    assert asking.returncode == 0, shown
    assert b"Apply changes? [y/N]" in shown
    assert b"\033[32mSTAMP\033[0m" in shown
    assert (tender / "STAMP").exists() is there


def test_a_generator_that_is_not_there_is_named_with_where_to_look(sealane: Sealane, tender: Path):
    done = sealane("generate", "nobody", cwd=tender)
    assert done.returncode == 1
    assert "no generator nobody\nsealane generate -l" in done.stderr


def test_what_was_changed_while_it_ran_is_kept_and_named(sealane: Sealane, tender: Path):
    (tender / "STAMP").write_text("old\n")
    done = sealane("call", "late", "-y", cwd=tender)
    assert done.returncode == 1
    assert "STAMP is not what the changes were made from" in done.stderr
    assert (tender / "STAMP").read_text() == "old\n"


def test_changesets_of_a_list_are_applied_together_and_saved_with_o(sealane: Sealane, tender: Path):
    done = sealane("call", "both", "-y", cwd=tender)
    assert done.returncode == 0, done.stderr
    assert ((tender / "one").read_text(), (tender / "two").read_text()) == ("1\n", "2\n")
    saved = sealane("call", "stamp", "-o", "saved", cwd=tender)
    assert saved.returncode == 0, saved.stderr
    assert (tender / "saved/STAMP").read_text() == "fresh\n"
    assert not (tender / "STAMP").exists()
