"""The fake session, loaded once for all tests of the command line."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("sealane_cli_fake", Path(__file__).with_name("fake.py"))
fake = importlib.util.module_from_spec(_spec)
sys.modules["sealane_cli_fake"] = fake
_spec.loader.exec_module(fake)


@pytest.fixture
def sealane(monkeypatch, capsys, tmp_path):
    """Run the command line against a fake session: `sealane(types, answer, "call", …)`."""
    from sealane.cli.main import run

    sessions = contextlib.ExitStack()
    (tmp_path / "dagger.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for name in ("SEALANE_ENGINE", "DAGGER_PROGRESS", "DAGGER_SILENT", "DAGGER_QUIET", "TRACEPARENT"):
        monkeypatch.delenv(name, raising=False)

    class Ran:
        def __init__(self, code, out, err, session):
            self.code, self.out, self.err, self.session = code, out, err, session

    def call(types, answer, *words):
        session = fake.FakeSession([*fake.PRIMITIVES, *fake.CORE, *types], answer)
        sessions.callback(session.close)
        monkeypatch.setenv("DAGGER_SESSION_PORT", str(session.port))
        monkeypatch.setenv("DAGGER_SESSION_TOKEN", "tok")
        code = run(["--silent", *words])
        out, err = capsys.readouterr()
        return Ran(code, out, err, session)

    with sessions:
        yield call
