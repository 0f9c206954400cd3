"""Hands objects of one module to another, which wants an interface."""

from dagger import dag, function, object_type


@object_type
class Farm:
    """Between the two."""

    @function
    async def listen(self, name: str) -> str:
        """One duck."""
        return await dag.shop().hear(dag.store().mallard(name))

    @function
    async def listen_all(self, names: list[str]) -> list[str]:
        """Several."""
        return await dag.shop().hear_all([dag.store().mallard(name) for name in names])

    @function
    async def kept(self, name: str) -> str:
        """What comes back is still a duck."""
        return await dag.shop().keep(dag.store().mallard(name)).quack()

    @function
    async def wrong(self) -> str:
        """A shop is no duck."""
        return await dag.shop().hear(dag.shop())
