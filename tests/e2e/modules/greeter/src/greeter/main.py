"""Objects and functions as a stranger would write them, with nothing but dagger."""

import enum
from typing import Annotated

import dagger
from dagger import DefaultPath, Doc, Ignore, check, dag, field, function, object_type


@dagger.enum_type
class Volume(enum.Enum):
    """How loud."""

    QUIET = "quiet"
    """Hardly to be heard."""

    LOUD = "loud"
    """In capitals."""


@object_type
class Card:
    """A greeting that was written down."""

    text: str = field()
    copies: int = field(default=1)
    paper: dagger.Directory = field()

    @function
    def file(self) -> dagger.File:
        """The card as a file."""
        return self.paper.with_new_file("card.txt", self.text * self.copies).file("card.txt")

    @function
    def copied(self, copies: int) -> "Card":
        """The same card, several times."""
        return Card(text=self.text, copies=copies, paper=self.paper)


@object_type
class Greeter:
    """Greets."""

    greeting: Annotated[str, Doc("The word to greet with")] = field(default="Hello")
    base: Annotated[dagger.Directory | None, Doc("What cards are written on")] = None

    @function
    def hello(self, name: str, volume: Volume = Volume.QUIET, times: int = 1) -> str:
        """Say hello."""
        text = f"{self.greeting}, {name}!"
        return " ".join([text.upper() if volume is Volume.LOUD else text] * times)

    @function
    def everyone(self, names: list[str]) -> list[str]:
        """Greet several."""
        return [f"{self.greeting}, {name}!" for name in names]

    @function
    def card(self, name: str) -> Card:
        """Write a card."""
        return Card(text=f"{self.greeting}, {name}!\n", paper=self.base or dag.directory())

    @function
    def cards(self, names: list[str]) -> list[Card]:
        """Write several."""
        return [self.card(name) for name in names]

    @function
    async def read(self, source: dagger.Directory, pattern: str = "**/*.txt") -> list[str]:
        """Names of the files in a directory."""
        return await source.glob(pattern)

    @function
    async def own_files(
        self, source: Annotated[dagger.Directory, DefaultPath("."), Ignore(["**/__pycache__", "src"])]
    ) -> list[str]:
        """Entries of the module's own directory."""
        return await source.entries()

    @function
    async def whisper(self, word: dagger.Secret) -> int:
        """How long a secret is."""
        return len(await word.plaintext())

    @function
    async def shout(self, name: str) -> str:
        """Say hello from a container."""
        return await (
            dag.container().from_("debian:bookworm-slim").with_exec(["echo", f"{self.greeting}, {name}!"]).stdout()
        )

    @function
    async def ask(self, service: dagger.Service, port: int = 8000) -> str:
        """What a service says."""
        script = f"import urllib.request as r; print(r.urlopen('http://service:{port}/hello.txt').read().decode())"
        return await (
            dag.container()
            .from_("python:3.11-slim")
            .with_service_binding("service", service)
            .with_exec(["python", "-c", script])
            .stdout()
        )

    @function
    async def fail(self, code: int) -> str:
        """Run a command that fails."""
        script = f"echo to stdout; echo to stderr >&2; exit {code}"
        return await dag.container().from_("debian:bookworm-slim").with_exec(["sh", "-c", script]).stdout()

    @function
    def refuse(self) -> str:
        """Raise."""
        msg = "nobody is here"
        raise ValueError(msg)

    @function(cache="never")
    def now(self) -> str:
        """Never the same."""
        import time

        return str(time.time_ns())

    @function
    def once(self, tag: str) -> str:
        """The same for the same tag, as long as it is kept."""
        import time

        return f"{tag} {time.time_ns()}"

    @function
    @check
    async def polite(self) -> None:
        """It greets politely."""

    @function
    @check
    async def quick(self) -> None:
        """It is quick, which it is not."""
        msg = "too slow"
        raise RuntimeError(msg)
