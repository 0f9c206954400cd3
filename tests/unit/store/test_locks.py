"""Locks of what is being made, while another process sweeps what it takes for dead."""

import os
from pathlib import Path

import pytest

from sealane_engine.store import locks


class Swept(type(Path())):
    """A place whose directory a sweeper has moved away by the time that it can be locked."""

    def mkdir(self, mode=0o777, parents=False, exist_ok=False):
        super().mkdir(mode, parents, exist_ok)
        self.rename(self.with_name("trash"))


def test_a_directory_that_is_swept_before_it_is_locked_is_nobodys(tmp_path):
    assert locks.create_locked(Swept(tmp_path, "new"), directory=True) is None


@pytest.mark.parametrize("directory", [True, False])
def test_what_is_made_is_locked(tmp_path, directory):
    held = locks.create_locked(tmp_path / "new", directory=directory)
    assert held is not None
    assert locks.try_lock(tmp_path / "new") is None
    os.close(held)
    again = locks.try_lock(tmp_path / "new")
    assert again is not None
    os.close(again)
