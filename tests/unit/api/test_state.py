"""docs/api.md says of every field whether it is implemented; it must say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_of_fields_is_up_to_date():
    command = [sys.executable, str(ROOT / "tools/api_state.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
