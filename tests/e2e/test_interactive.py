"""`-i`: whoever sits at the terminal gets a shell in the step that has failed, wherever it was asked for."""

from __future__ import annotations

import os
import pty
import select
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(300)]


def at_a_terminal(environ: dict[str, str], cwd: Path, words: list[str], *, wanted: str, typed: str) -> tuple[int, str]:
    """Run a command at a terminal of its own; type something once it has said what is waited for. Its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(words[0], words, environ)
    seen, left = b"", typed.encode()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # its end
            break
        seen += data
        if left and wanted.encode() in seen:
            os.write(terminal, left)
            left = b""
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode(errors="replace")


@pytest.mark.parametrize("progress", ["plain", "tty"])
def test_a_step_that_fails_in_a_dependency_of_a_module_opens_a_shell(
    environ: dict[str, str], modules: Path, progress: str
):
    words = ["sealane", "--progress", progress, "call", "-i", "--interactive-command", "bash --norc", "trouble"]
    code, seen = at_a_terminal(
        environ, modules / "party", words, wanted="leave it (exit)", typed="echo in-$((40+2))-here; exit 9\n"
    )
    assert "exit code: 3: a shell in what it has left" in seen
    assert "in-42-here" in seen
    assert code == 3, seen


def test_a_command_that_cannot_be_read_is_refused_before_anything_runs(environ: dict[str, str], modules: Path):
    words = ["sealane", "call", "-i", "--interactive-command", "sh -c 'x", "trouble"]
    code, seen = at_a_terminal(environ, modules / "party", words, wanted="never", typed="")
    assert code == 1
    assert "cannot parse interactive command: No closing quotation" in seen
