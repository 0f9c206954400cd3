"""The cases of the contract by subject. Each names the test or the source of Dagger's that says what the answer is."""

from __future__ import annotations

from . import changes, containers, directories, documents, expansion, file_contents, links, mounts, services
from .table import Case

EVERY: tuple[Case, ...] = (
    *changes.CASES,
    *containers.CASES,
    *mounts.CASES,
    *expansion.CASES,
    *expansion.LINKS,
    *expansion.OWNERS,
    *expansion.CODES,
    *directories.CASES,
    *links.CASES,
    *documents.CASES,
    *documents.ENV,
    *documents.ADDRESS,
    *documents.SECRET,
    *file_contents.CASES,
    *file_contents.SEARCH,
    *file_contents.STAT,
    *services.CASES,
)
