"""What makes a container suspected, before anything is tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealane_engine.confined import suspected

PROC = "24 28 0:22 / {point} rw,nosuid - proc proc rw"


@pytest.mark.parametrize(
    ("seccomp", "points", "expected"),
    [
        ("0", ["/", "/proc", "/sys"], False),
        ("0", ["/", "/proc", "/proc/sys/fs/binfmt_misc"], False),  # any machine with systemd
        ("0", ["/proc", "/proc/kcore"], True),
        ("2", ["/proc"], True),
        ("0", ["/procession/x"], False),
    ],
)
def test_a_filter_or_a_covered_proc_is_a_reason_to_try(tmp_path: Path, seccomp: str, points: list[str], expected: bool):
    own = tmp_path / "proc/self"
    own.mkdir(parents=True)
    (own / "status").write_text(f"Name:\tpython\nSeccomp:\t{seccomp}\nSeccomp_filters:\t0\n")
    (own / "mountinfo").write_text("".join(PROC.format(point=point) + "\n" for point in points))
    assert suspected(tmp_path) is expected


def test_a_machine_that_tells_nothing_is_not_suspected(tmp_path: Path):
    assert not suspected(tmp_path)
