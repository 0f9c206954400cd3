"""The view on a terminal: what stays on it when everything has ended."""

from __future__ import annotations

from sealane.cli.live import Live


def test_what_a_function_says_stays_and_what_a_good_step_says_does_not(capsys):
    live = Live()
    live.event({"kind": "step-start", "key": "k", "name": "withExec black ."})
    live.event({"kind": "log", "key": "k", "text": "reformatted a.py\n"})
    live.event({"kind": "log", "key": "", "text": "not all was mended: [black]\n"})
    live.event({"kind": "step-end", "key": "k", "seconds": 1.0})
    live.close()
    said = capsys.readouterr().err
    assert "┃ not all was mended: [black]" in said
    assert "reformatted" not in said
