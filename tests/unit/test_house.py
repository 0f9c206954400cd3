"""The rules of the house that a linter doesn't know."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
MAX_FILE, MAX_FUNCTION = 500, 60
# Where packages come from is the host's to say; what a lock or a setting of this clone names would be one machine's.
INDEXES = ("pypi.org", "pythonhosted.org", "registry.npmjs.org", "registry.yarnpkg.com", "proxy.golang.org")
TEXTS = {".py", ".toml", ".json", ".lock", ".txt", ".md", ".sh", ".yml", ".yaml", ".js", ".html", ".cfg", ""}
# The tools' own defaults: told apart from a setting of the host's, and used where the host has no npm to ask.
DEFAULTS = {"src/sealane_engine/images/catalog/downloads.py"}
RUNNERS = {"run", "Popen", "call", "check_call", "check_output", "getoutput"}
NOT_OURS = ("tests/contract/reference/", "tests/golden/")
GUIDES_DOCKERFILE = "4c2ff316f03301ac6e7f5ef35d964e22bae2c266db30a867a78c74de5807b009"


@cache
def tracked() -> tuple[Path, ...]:
    """Every text file of the repository, as git sees it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = (Path(line) for line in listed.splitlines() if not line.startswith(NOT_OURS))
    return tuple(path for path in paths if path.suffix in TEXTS and (ROOT / path).is_file())


def python(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in folders]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_engine_never_imports_the_sdk():
    guilty = [
        str(path)
        for path in python("src")
        if path.parts[1] == "sealane_engine"
        and any(name.split(".")[0] in {"sealane", "dagger"} for name in imports(parse(path)))
    ]
    assert guilty == []


def test_a_file_has_at_most_500_lines():
    lines = {str(path): len((ROOT / path).read_text().splitlines()) for path in python("src", "ci", "tests", "tools")}
    assert {path: count for path, count in lines.items() if count > MAX_FILE} == {}


def test_a_function_has_at_most_60_lines():
    long = {}
    for path in python("src", "ci", "tests", "tools", "benchmarks"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION:
                    long[f"{path}:{node.lineno} {node.name}"] = length
    assert long == {}


def test_a_file_says_its_subject_in_its_first_line():
    silent = [
        str(path)
        for path in python("src", "ci", "tests", "tools", "benchmarks")
        if (ROOT / path).read_text().strip() and not (ast.get_docstring(parse(path)) or "").strip()
    ]
    assert silent == []


@pytest.mark.parametrize("host", INDEXES)
def test_no_package_index_is_written_in_code_or_locks(host: str):
    """A comment of a table of pins may say where they were read."""
    places = [p for p in tracked() if p.suffix in {".lock", ".json", ".txt"} or p.name == ".npmrc"]
    places += [p for p in python("src", "ci", "tools") if p.as_posix() not in DEFAULTS]
    assert [str(p) for p in places if host in read(p)] == []


def test_no_host_of_this_machines_own_settings_is_written_in_the_repository():
    """A mirror's name gets into a lock file easily; Debian's public one may stand where an image names it."""
    settings = ["/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf", "~/.npmrc", "/etc/npmrc"]
    texts = [read(Path(name).expanduser()) for name in settings]
    texts += [os.environ.get(name, "") for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "GOPROXY")]
    hosts = {urlsplit(url).hostname for text in texts for url in re.findall(r"https?://[^\s,\"']+", text)}
    public = {"deb.debian.org", "security.debian.org", "localhost", "127.0.0.1", *INDEXES}
    named = {host for host in hosts if host and host not in public}
    assert [(str(p), host) for p in tracked() for host in named if host in read(p)] == []


def test_no_command_is_a_shell_string():
    """argv lists only: a name with a space or a quote is data."""
    guilty = []
    for path in python("src", "ci", "tools"):
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", "")
            shell = any(k.arg == "shell" and getattr(k.value, "value", True) is True for k in node.keywords)
            if (shell and name in RUNNERS) or name in {"system", "popen", "create_subprocess_shell"}:
                guilty.append(f"{path}:{node.lineno}")
    assert guilty == []


def test_the_lock_holds_every_dependency_that_is_declared():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[ \[<>=!~;]", text, maxsplit=1)[0].lower() for text in declared}
    lock = (ROOT / "requirements.lock").read_text()
    assert names - set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE)) == set()
    assert "://" not in lock


def test_the_guides_dockerfile_is_the_samples():
    """Its instructions are the guide's, word for word: a digest of the text pins it."""
    import hashlib

    text = (ROOT / "examples/sutazai/Dockerfile").read_bytes()
    assert hashlib.sha256(text).hexdigest() == GUIDES_DOCKERFILE


def read(path: Path) -> str:
    file = path if path.is_absolute() else ROOT / path
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
