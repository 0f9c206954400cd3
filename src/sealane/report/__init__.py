"""A run as files and as text: `run.json`, `summary.md`, joined SARIF, and what an engine's events add."""

from sealane.report.events import merge_events
from sealane.report.model import RunReport
from sealane.report.text import markdown, terminal

__all__ = ["RunReport", "markdown", "merge_events", "terminal"]
