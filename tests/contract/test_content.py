"""What crosses into another step counts by its content: what a step can't see is no reason to run it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

CLIENT = """
import sys, anyio, dagger
from dagger import dag

async def main():
    async with dagger.connection(dagger.Config(log_output=None)):
        async def number(path, **filters):
            source = dag.host().directory(path)
            step = dag.container().from_("debian:bookworm-slim").with_directory("/d", source, **filters)
            return await step.with_exec(["cat", "/proc/sys/kernel/random/uuid"]).stdout()
        first, second = sys.argv[1:]
        print(await number(first, include=["kept"]) == await number(second, include=["kept"]))
        print(await number(first, exclude=["other"]) == await number(second, exclude=["other"]))
        print(await number(first) == await number(second))

anyio.run(main)
"""


def test_what_a_filter_leaves_out_does_not_count(client_environ: dict[str, str], tmp_path: Path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept").write_text(str(tmp_path))
        (tmp_path / name / "other").write_text(name)
    words = [sys.executable, "-c", CLIENT, str(tmp_path / "first"), str(tmp_path / "second")]
    done = subprocess.run(words, env=client_environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
