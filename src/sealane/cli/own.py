"""Sealane's own module, for a folder that has none: what `sealane call pipeline` means in any Python project."""

from __future__ import annotations

from pathlib import Path

from sealane.cli.head import read_head
from sealane.errors import SealaneError

FILE = "dagger.json"
FILES = (FILE, "dagger-module.toml", "dagger.toml")  # those of Dagger 1.0 too
MARKS = ("sealane.toml", "pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "package.json", "Dockerfile")


def completed(words: list[str], *, source: bool = True) -> list[str]:
    """The words with `-m` for Sealane's own module and `--source` for the project, where no module is in reach.

    Words that name a module, or want none, stay as they are; so do those of a folder with a module's file above it.
    """
    head = read_head(words)
    if head.mod or head.no_mod or _has_module():
        return words
    named = ["-m", str(module())]
    return [*named, "--source", str(project()), *words] if source else [*named, *words]


def module() -> Path:
    """Where Sealane's module is: in this checkout, or inside the installed package (see tools/hatch_build.py)."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package.parent.parent, package / "module"):
        if (folder / FILE).is_file() and (folder / "ci/src/sealane_ci").is_dir():
            return folder
    raise SealaneError(
        f"this installation of Sealane has no module of its own in {package / 'module'}",
        reason="no-own-module",
        hint="Install Sealane again, or name a module with -m.",
    )


def project() -> Path:
    """The nearest folder, from here to the git repository's root, that looks like a project; else this one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in MARKS):
            return folder
        if (folder / ".git").exists():
            break
    return here


def is_project(folder: Path) -> bool:
    """Whether there is something in it that a stage could look at."""
    if any((folder / name).exists() for name in (*MARKS, ".git")):
        return True
    return any(next(folder.glob(pattern), None) for pattern in ("*.py", "*/*.py"))


def _has_module() -> bool:
    """Whether the engine is going to find a module by itself."""
    here = Path.cwd()
    return any((folder / name).is_file() for folder in (here, *here.parents) for name in FILES)
