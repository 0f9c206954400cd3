"""The trial on this very machine: every step of a sandbox works, and nothing of it stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sealane_engine import doctor, trial
from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange

pytestmark = pytest.mark.needs("root")


def test_every_step_works_and_leaves_nothing(tmp_path: Path):
    found = asyncio.run(trial.run(tmp_path, ROOT_RANGE, rootless=False))
    assert [(step, error) for step, error in found.steps if error] == []
    assert [step for step, _ in found.steps] == list(trial.STEPS)
    assert list(tmp_path.iterdir()) == []


def test_ids_that_cannot_be_mapped_end_the_trial_there(tmp_path: Path):
    found = asyncio.run(trial.run(tmp_path, IdRange(0x7000_0000, 0), rootless=False))
    assert found.steps[-1][0] == "maps"
    assert "Invalid argument" in found.steps[-1][1]


def test_the_doctor_finds_this_machine_well(tmp_path: Path):
    probes = asyncio.run(doctor.probe(tmp_path / "home"))
    assert [(p.name, p.detail, p.remedy) for p in probes if not (p.ok or p.optional)] == []
    assert not (tmp_path / "home").exists()
