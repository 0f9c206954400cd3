"""What works on a workspace: a generator, a service, a check, and files found by default paths."""

import pathlib
from typing import Annotated

import dagger
from dagger import DefaultPath, check, dag, function, generate, object_type, up


@object_type
class Tender:
    """Tends."""

    @function
    async def names(self, ws: dagger.Workspace) -> list[str]:
        """What lies in the workspace's directory."""
        return await ws.directory(".", exclude=["**/__pycache__"]).entries()

    @function
    async def license(self, ws: dagger.Workspace) -> str | None:
        """Where the nearest licence is."""
        return await ws.find_up("LICENSE")

    @function
    @generate
    def stamp(self, ws: dagger.Workspace) -> dagger.Changeset:
        """Keep STAMP up to date."""
        before = ws.directory(".", include=["STAMP"])
        return before.with_new_file("STAMP", "fresh\n").changes(before)

    @function
    def late(self) -> dagger.Changeset:
        """A change to a STAMP that is another by now."""
        before = dag.directory().with_new_file("STAMP", "older\n")
        return before.with_new_file("STAMP", "fresh\n").changes(before)

    @function
    def both(self) -> list[dagger.Changeset]:
        """Two changes, of which neither knows the other."""
        nothing = dag.directory()
        return [nothing.with_new_file(name, text).changes(nothing) for name, text in (("one", "1\n"), ("two", "2\n"))]

    @function
    @up
    def site(self) -> dagger.Service:
        """Serve a page."""
        return (
            dag.container()
            .from_("python:3.11-slim")
            .with_new_file("/www/index.html", "hello from the garden\n")
            .with_exposed_port(18431)
            .as_service(args=["python", "-m", "http.server", "18431", "-d", "/www"])
        )

    @function
    @check
    async def tidy(self, source: Annotated[dagger.Directory, DefaultPath(".")], word: str = "weed") -> None:
        """Fail where a weed grows."""
        if await source.glob(f"**/{word}"):
            msg = f"there is a {word}"
            raise ValueError(msg)

    @function
    async def written(self, name: str) -> list[str]:
        """What a function wrote where it runs."""
        _write(pathlib.Path("made/deep", name))
        found = dag.current_module().workdir("made", exclude=["*.log"])
        text = await dag.current_module().workdir_file(f"made/deep/{name}").contents()
        return [*await found.glob("**"), text.strip()]


def _write(file: pathlib.Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("here\n")
    link = file.parent.parent / "link"
    link.unlink(missing_ok=True)
    link.symlink_to("/etc/passwd")
