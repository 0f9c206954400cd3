"""Reads what Locust measured: the statistics that it writes as CSV, where its last row sums up all requests."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass

from sealane.errors import ReportUnreadable

_ALL = "Aggregated"


@dataclass(frozen=True, slots=True)
class Request:
    """One kind of request, or all: times in milliseconds, `rate` in requests a second."""

    name: str
    count: int
    failures: int
    average: float
    p50: float
    p95: float
    rate: float

    def as_stats(self) -> dict[str, float]:
        return {
            "num_requests": self.count,
            "num_failures": self.failures,
            "avg_response_time": self.average,
            "p50_response_time": self.p50,
            "p95_response_time": self.p95,
            "requests_per_second": self.rate,
        }


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured, by request and in all."""

    requests: tuple[Request, ...]
    all: Request

    @property
    def figures(self) -> dict[str, float]:
        return {
            "response average ms": self.all.average,
            "response p50 ms": self.all.p50,
            "response p95 ms": self.all.p95,
            "throughput rps": self.all.rate,
            "failures": self.all.failures,
        }

    def json(self) -> str:
        """`performance-report.json`: `.stats` of all requests, `.requests` by name."""
        found = {"stats": self.all.as_stats(), "requests": {r.name: r.as_stats() for r in self.requests}}
        return json.dumps(found, indent=2) + "\n"


def read(text: str) -> Load:
    """The statistics in `…_stats.csv`. Raises ReportUnreadable, also when not one request was made."""
    try:
        rows = [_request(row) for row in csv.DictReader(io.StringIO(text)) if int(row["Request Count"])]
    except (KeyError, TypeError, ValueError) as error:
        raise ReportUnreadable(f"Locust's statistics can't be read: {error!r}", hint="Look at its log.") from None
    summed = next((row for row in rows if row.name == _ALL), None)
    if summed is None:
        raise ReportUnreadable("Locust reports no request", hint="Look at its log, and at the locustfile.")
    return Load(tuple(row for row in rows if row is not summed), summed)


def _request(row: dict[str, str]) -> Request:
    return Request(
        name=f"{row['Type']} {row['Name']}".strip(),
        count=int(row["Request Count"]),
        failures=int(row["Failure Count"]),
        average=round(float(row["Average Response Time"]), 3),
        p50=float(row["50%"]),
        p95=float(row["95%"]),
        rate=round(float(row["Requests/s"]), 2),
    )
