"""An object that fits an interface which it has never heard of."""

from dagger import field, function, object_type


@object_type
class Mallard:
    """A duck."""

    name: str = field()

    @function
    async def quack(self) -> str:
        """Quack."""
        return f"quack, I am {self.name}"

    @function
    def loud(self) -> "Mallard":
        """The same duck, louder."""
        return Mallard(name=self.name.upper())


@object_type
class Store:
    """Has ducks."""

    @function
    def mallard(self, name: str) -> Mallard:
        """A duck of that name."""
        return Mallard(name=name)
