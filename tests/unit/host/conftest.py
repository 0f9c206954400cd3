"""A store, and directories of the host."""

import os

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE, IdRange
from sealane_engine.store.store import Store


@pytest.fixture
def store(tmp_path):
    ids = ROOT_RANGE if os.geteuid() == 0 else IdRange(os.geteuid(), 1)
    with Store.open(tmp_path / "home", ids) as opened:
        yield opened


@pytest.fixture
def host(tmp_path):
    """host({"a/b": "text", "l": ("target",)}): a directory with these; again: changes to it; None removes."""
    root = tmp_path / "host"
    root.mkdir()

    def fill(entries):
        for name, what in entries.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            elif what is None:
                path.unlink()
            elif isinstance(what, tuple):
                path.symlink_to(what[0])
            else:
                path.write_text(what)
        return root

    return fill
