"""A module that depends on another one, under two names."""

import dagger
from dagger import dag, function, object_type


@object_type
class Party:
    """Invites."""

    @function
    async def invite(self, guests: list[str]) -> list[str]:
        """Greet everyone."""
        return await dag.greeter(greeting="Welcome").everyone(guests)

    @function
    async def loudly(self, guest: str) -> str:
        """An enum and defaults of the other module."""
        return await dag.greeter().hello(guest, volume=dagger.GreeterVolume.LOUD, times=2)

    @function
    async def cards(self, guests: list[str]) -> list[str]:
        """A list of the other module's objects, each asked."""
        return [await card.text() for card in await dag.usher(greeting="Dear").cards(guests)]

    @function
    def envelope(self, guest: str) -> dagger.File:
        """What the other module's object makes."""
        paper = dag.directory().with_new_file("stamp", "1")
        return dag.greeter(base=paper).card(guest).file()

    @function
    async def trouble(self) -> str:
        """An error that goes through."""
        return await dag.greeter().fail(3)
