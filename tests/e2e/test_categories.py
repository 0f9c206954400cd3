"""End-to-end and performance tests, asked for: a real browser and real load against the sample's own image."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(1800)]


def test_a_browser_and_load_meet_the_image_and_the_figures_are_locusts(sample: Path, pipeline: Callable[..., object]):
    settings = sample / "pyproject.toml"
    lightly = '[tool.sealane.test.performance]\nusers = 10\nspawn-rate = 10\nrun-time = "4s"\n'
    text = settings.read_text().replace("[tool.sealane.test.performance]\n", lightly)
    settings.write_text(text.replace("[tool.sealane]\n", '[tool.sealane]\nstages = ["test"]\n'))
    ran = pipeline(sample, "--categories", "e2e,performance")
    test = ran.stage("test")
    assert test["outcome"] == "ran", ran.output[-4000:]
    assert {suite["name"]: suite["failed"] for suite in test["suites"]} == {"e2e": 0, "performance": 0}
    assert len(list(ET.parse(ran.out / "junit-e2e.xml").getroot().iter("testcase"))) == 3

    with (ran.out / "performance_stats.csv").open() as file:
        summed = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    figures = test["figures"]
    assert figures["response p50 ms"] == float(summed["50%"])
    assert figures["response p95 ms"] == float(summed["95%"])
    assert figures["response average ms"] == round(float(summed["Average Response Time"]), 3)
    assert figures["throughput rps"] == round(float(summed["Requests/s"]), 2)
    assert figures["failures"] == 0
    report = json.loads((ran.out / "performance-report.json").read_text())
    assert report["stats"]["avg_response_time"] == figures["response average ms"]
    assert report["stats"]["num_requests"] == int(summed["Request Count"]) > 0
    assert "<html" in (ran.out / "performance-report.html").read_text()
    gates = {gate["name"].split(" ≤ ")[0].split(" ≥ ")[0]: gate for gate in ran.report["gates"]}
    assert gates["average response"]["measured"]
    assert gates["throughput"]["measured"]
