"""An interface, and functions that take what fits it."""

import typing

from dagger import function, interface, object_type


@interface
class Duck(typing.Protocol):
    """Whatever quacks."""

    @function
    async def quack(self) -> str: ...

    @function
    def loud(self) -> typing.Self: ...


@object_type
class Shop:
    """Listens."""

    @function
    async def hear(self, duck: Duck) -> str:
        """Have it quack, loudly."""
        return f"heard {await duck.loud().quack()}"

    @function
    async def hear_all(self, ducks: list[Duck]) -> list[str]:
        """Have several quack."""
        return [await each.quack() for each in ducks]

    @function
    def keep(self, duck: Duck) -> Duck:
        """Give it back."""
        return duck
