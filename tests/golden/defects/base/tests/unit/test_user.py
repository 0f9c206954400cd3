"""The user that the tests run as is no other than anybody's: permissions hold."""

from pathlib import Path

import pytest


def test_a_file_that_nobody_may_read_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.touch(mode=0)
    with pytest.raises(PermissionError):
        closed.read_text(encoding="utf-8")
