"""What a case of the contract is: a question to any engine, the answer that Dagger gives, and where Dagger says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import dagger

IMAGE = "debian:bookworm-slim"
Ask = Callable[[dagger.Client], Awaitable[object]]


@dataclass(frozen=True)
class Fails:
    """An error instead of an answer; of a step's, the exit code. The words are the engine's own."""

    exit_code: int | None = None


FAILS = Fails()


@dataclass(frozen=True)
class Case:
    """`source` is a file of dagger/dagger at v0.21.8, and the test or function in it that says what the answer is."""

    name: str
    source: str
    ask: Ask
    want: object


class Cases(list[Case]):
    """The cases of one subject, whose answers are asserted by one file of Dagger's."""

    def __init__(self, subject: str, file: str) -> None:
        super().__init__()
        self._subject = subject
        self._file = file

    def __call__(self, where: str, name: str, ask: Ask, want: object) -> None:
        self.append(Case(f"{self._subject}: {name}", f"{self._file} {where}", ask, want))


async def each(*asked: Awaitable[object]) -> list[object]:
    """The answers to several questions, one after another."""
    return [await one for one in asked]


async def ordered(asked: Awaitable[Sequence[str]]) -> list[str]:
    """For lists whose order Dagger doesn't promise."""
    return sorted(await asked)


async def there(asked: Awaitable[object]) -> bool:
    """That there is an answer at all."""
    await asked
    return True


def base(dag: dagger.Client) -> dagger.Container:
    return dag.container().from_(IMAGE)


def sh(container: dagger.Container, script: str) -> Awaitable[str]:
    """What a shell's script prints in a container."""
    return container.with_exec(["sh", "-c", script]).stdout()


def files(dag: dagger.Client, *paths: str, **contents: str) -> dagger.Directory:
    """A directory with empty files at these paths, and those with contents (`a` is the file a)."""
    found = dag.directory()
    for path in paths:
        found = found.with_new_file(path, "")
    for path, text in contents.items():
        found = found.with_new_file(path, text)
    return found
