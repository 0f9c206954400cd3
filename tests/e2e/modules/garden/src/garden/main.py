"""Nothing of its own but a function: the toolchain does the work."""

from dagger import function, object_type


@object_type
class Garden:
    """A garden."""

    @function
    def name(self) -> str:
        """Its name."""
        return "garden"
