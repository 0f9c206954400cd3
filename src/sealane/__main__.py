"""`python -m sealane` is the `sealane` command."""

from __future__ import annotations

from sealane.cli import main

main()
