"""Every command of the documentation, run as it stands there, in a copy of this repository.

Fenced blocks of `sh` are run; `sh dagger` marks those that need a Dagger engine. The test command itself only lists its
sessions here: it is what runs this test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md")))
BLOCK = re.compile(r"^```sh[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)

LINK = re.compile(r"\]\(([^)#:]+)\)")


def blocks() -> list[tuple[str, str]]:
    """(page:line, script)"""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text()
        found += [(f"{page}:{text.count(chr(10), 0, m.start()) + 2}", m[1]) for m in BLOCK.finditer(text)]
    return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows or would take, committed in a repository of their own, with this environment."""
    target = tmp_path_factory.mktemp("clone") / "sealane"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet", "-b", "main"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", *names, *words], cwd=target, check=True)
    if (ROOT / ".venv").is_dir():
        (target / ".venv").symlink_to(ROOT / ".venv")
    return target


def test_there_is_something_to_run():
    assert len(blocks()) >= 4


@pytest.mark.needs("root", "network")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("place", "script"), blocks(), ids=[place for place, _ in blocks()])
def test_a_block_runs_as_it_stands(place: str, script: str, clone: Path, environ: dict[str, str]):
    script = re.sub(r"^(\./ci/test)\b", r"\1 --list", script, flags=re.MULTILINE)
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=clone, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{place} exited with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def test_every_link_to_a_file_leads_somewhere():
    links = [(page, target) for page in PAGES for target in LINK.findall((ROOT / page).read_text())]
    assert [link for link in links if not ((ROOT / link[0]).parent / link[1]).exists()] == []
