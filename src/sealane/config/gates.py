"""The keys of the gates: thresholds, the baseline and waivers."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from sealane.config.model import Inside, Model

MERGE_BASE = "merge-base"


class Waiver(Model):
    """A finding that is accepted until the end of a day: by its fingerprint, or by rule and path (a pattern)."""

    fingerprint: str = ""
    rule: str = ""
    path: str = ""
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: dt.date
    _place: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.fingerprint and not (self.rule and self.path):
            raise ValueError("a waiver names a `fingerprint`, or a `rule` and a `path`")
        return self

    @property
    def place(self) -> str:
        """Where it is written, as `pyproject.toml:12`; empty when that is not known."""
        return self._place

    def at(self, place: str) -> Self:
        self._place = place
        return self


class Threshold(Model):
    """What a figure must reach, or may not pass. Between `target` and the bound the gate warns."""

    minimum: float | None = None
    maximum: float | None = None
    target: float | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("a threshold has either a `minimum` or a `maximum`")
        return self


class ComplexityConfig(Model):
    """The most that any one function may have."""

    cyclomatic: int | None = Field(default=10, ge=1)
    cognitive: int | None = Field(default=15, ge=0)


class GatesConfig(Model):
    """What must hold. `accept` lets a stage that could not run pass: stage name → the reason why that is all right.

    `coverage` is the least that passes, `coverage-target` the least that passes without a warning. `medium` counts
    what scanners found. `response` (milliseconds on average) and `throughput` (requests a second) bound what the
    performance tests measured; `duplication` is in percent of the lines. `figures` bounds any figure of a stage, by its
    name. `baseline` is a file of the project with the findings that are known, or `merge-base`: those of the tree that
    the run is compared with. Only others count.
    """

    coverage: float | None = Field(default=80, ge=0, le=100)
    coverage_target: float = Field(default=90, ge=0, le=100)
    high: int | None = Field(default=0, ge=0)
    medium: int | None = Field(default=5, ge=0)
    response: float | None = Field(default=500, gt=0)
    throughput: float | None = Field(default=1000, gt=0)
    complexity: ComplexityConfig = ComplexityConfig()
    duplication: float | None = Field(default=3, ge=0, le=100)
    figures: dict[str, Threshold] = {}
    baseline: Inside | None = None
    waivers: tuple[Waiver, ...] = ()
    accept: dict[str, str] = {}
