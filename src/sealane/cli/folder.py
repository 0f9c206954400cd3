"""A project in a folder of this machine, read as the stages read it from an engine; no engine is asked."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sealane.cli import own
from sealane.errors import SealaneError, UsageError
from sealane.stages import project

if TYPE_CHECKING:
    import dagger

    from sealane.stages.project import Project

# What the module's own filter leaves out (`IGNORED` in ci/), beside the folders that hold no code.
_LEFT_OUT = frozenset({*project.FOREIGN, ".mypy_cache", ".pytest_cache", ".ruff_cache", "htmlcov"})
_REPORT = "out"


@dataclass(frozen=True, slots=True)
class Folder:
    """As much of a `dagger.Directory` as finding a project's parts asks for: its names, and the text of a file."""

    path: Path

    async def glob(self, _pattern: str) -> list[str]:
        """Every file, relative to the folder, with `/`. Raises SealaneError for a folder that can't be read."""
        names = []
        for folder, folders, files in os.walk(self.path, onerror=_unreadable):
            here = Path(folder).relative_to(self.path)
            top = folder == str(self.path)
            folders[:] = sorted(f for f in folders if f not in _LEFT_OUT and not (top and f == _REPORT))
            names += [(here / name).as_posix() for name in files]
        return names

    def file(self, name: str) -> File:
        return File(self.path / name)


@dataclass(frozen=True, slots=True)
class File:
    path: Path

    async def contents(self) -> str:
        """Raises SealaneError when it can't be read, or is no text."""
        try:
            return await asyncio.to_thread(self.path.read_text, encoding="utf-8")
        except UnicodeDecodeError:
            raise SealaneError(f"{self.path} is not UTF-8 text", reason="unreadable", hint="Mend the file.") from None
        except OSError as error:
            _unreadable(error)
            raise


def _unreadable(error: OSError) -> None:
    raise SealaneError(
        f"{error.filename} can't be read: {error.strerror}", reason="unreadable", hint="Check its permissions."
    ) from None


def chosen(source: Path | None) -> Path:
    """The folder that is meant: `--source`, else the project around. Raises UsageError when it is none."""
    folder = source or own.project()
    if not folder.is_dir():
        wrong = "is not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"--source: {folder} {wrong}", reason="no-source")
    if not own.is_project(folder):
        raise UsageError(
            f"{folder} looks like no project: it has none of {', '.join(own.MARKS)}, and no Python file",
            reason="no-project",
            hint="Go to the project's folder, or name it with --source.",
        )
    return folder


def read(folder: Path) -> Project:
    """What is in it. Raises ConfigError when its configuration can't work."""
    return asyncio.run(project.read(cast("dagger.Directory", Folder(folder))))
