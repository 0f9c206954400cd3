"""Each case of the reference answers as a real Dagger 0.21.8 engine did, or stands in differences.toml with its reason.

A listed difference that agrees after all fails too: the list is never longer than it must be.
"""

from __future__ import annotations

import importlib.util
import json
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
WANTED: dict[str, Any] = json.loads((HERE / "reference/answers.json").read_text())
DIFFERENCES: dict[str, dict[str, str]] = tomllib.loads((HERE / "differences.toml").read_text())

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(3600)]


@cache
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare", HERE / "reference/compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_difference_names_a_case_and_its_reason():
    listed = {name: reason for kind in DIFFERENCES.values() for name, reason in kind.items()}
    assert set(listed) <= set(WANTED)
    assert all(listed.values())
    assert set(DIFFERENCES) == {"wanted", "gaps"}


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_case_answers_as_dagger_does(name: str, answers: dict[str, Any]):
    ours, theirs = answers[name], WANTED[name]
    agrees = compare().same(theirs, ours)
    reason = DIFFERENCES["wanted"].get(name) or DIFFERENCES["gaps"].get(name)
    if reason is None:
        assert agrees, f"{name}\n  Dagger: {json.dumps(theirs)[:600]}\n  ours:   {json.dumps(ours)[:600]}"
    else:
        assert not agrees, f"{name} agrees now: take it out of differences.toml"
