"""The command line: one file per verb; the only place that prints, exits or starts an engine."""

from __future__ import annotations


def main() -> None:
    """The `sealane` command."""
    import sys

    from sealane.cli.main import run

    sys.exit(run(sys.argv[1:]))
