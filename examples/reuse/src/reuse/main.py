"""Sealane as a dependency: its stages are functions to call, their results objects to ask."""

from typing import Annotated

import dagger
from dagger import DefaultPath, Doc, dag, function, object_type


@object_type
class Reuse:
    """Runs the stages that this team wants, in the order that it wants."""

    source: Annotated[dagger.Directory, Doc("The project"), DefaultPath("../sutazai")]

    @function
    async def verify(self) -> str:
        """Lint first, for it is quick; then tests and scan. Fails with the stage that did not pass."""
        sealane = dag.sealane(source=self.source)
        await sealane.lint().assert_()
        await sealane.test().assert_()
        await sealane.scan().assert_()
        return "lint, test and scan passed\n"

    @function
    async def lint_summary(self) -> str:
        """What lint found, as Markdown."""
        return await dag.sealane(source=self.source).lint().summary()

    @function
    def reports(self) -> dagger.Directory:
        """The reports of lint and test, side by side, whether they passed or not."""
        sealane = dag.sealane(source=self.source)
        reports = dag.directory()
        return reports.with_directory("lint", sealane.lint().report()).with_directory("test", sealane.test().report())
