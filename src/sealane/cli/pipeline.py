"""The rule for `call pipeline`: what it found is exported too, whether it passed or not.

A module whose `pipeline` function has a sibling `report` with the same arguments that returns a Directory gets that
directory exported to out/ (or to -o), and what only our events know is merged into it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli import selection
from sealane.cli.chain import Chain
from sealane.cli.schema import Types
from sealane.cli.wire import literal
from sealane.errors import QueryFailed

if TYPE_CHECKING:
    from sealane.cli.events import Event
    from sealane.cli.wire import Session

OUT = "out"


@dataclass(frozen=True, slots=True)
class Report:
    """The report of the pipeline that is being called: what to ask for, and where it goes."""

    selections: tuple[selection.Selection, ...]
    out: Path
    failure: list[str] = field(default_factory=list)

    def export(self, session: Session) -> None:
        """Write the report. That it can't be had must not hide why the pipeline failed."""
        path = literal(str(self.out))
        try:
            selection.ask(session, [*self.selections, (f"export(path:{path})", "export")])
        except QueryFailed as error:
            self.failure.append(error.message)

    def tell(self) -> None:
        """Say where the report is, or why there is none."""
        if self.failure:
            print(f"No report was written: {self.failure[0]}", file=sys.stderr)
        else:
            print(f'Report saved to "{self.out}".', file=sys.stderr)

    def merge(self, events: list[Event]) -> None:
        """Add cache verdicts, base image origins and steps' logs to the report, where the SDK is there to do it."""
        if not events or not self.out.is_dir():
            return
        from sealane.report import merge_events

        merge_events(self.out, events)


def report_of(types: Types, chain: Chain, selections: list[selection.Selection]) -> Report | None:
    """The report that belongs to a chain that ends in `pipeline`; None when its module has none."""
    assert chain.function is not None
    parent = types.provider(chain.links[-2].function.returns) if len(chain.links) > 1 else types.root
    sibling = parent.function("report") if parent is not None else None
    if sibling is None or types[sibling.returns].name != "Directory":
        return None
    if {argument.name for argument in sibling.args} != {argument.name for argument in chain.function.args}:
        return None
    text, _ = selections[-1]
    renamed = sibling.name + text.removeprefix(chain.function.name)
    return Report((*selections[:-1], (renamed, sibling.name)), Path(chain.output or OUT))
