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


def test_while_a_command_has_the_terminal_nothing_is_drawn_and_nothing_is_lost(capsys):
    live = Live()
    live.event({"kind": "step-start", "key": "k", "name": "withExec false"})
    live.event({"kind": "terminal", "open": True, "why": "withExec false: exit code: 1"})
    lent = capsys.readouterr().err
    assert "exit code: 1: a shell in what it has left" in lent
    live.event({"kind": "warning", "message": "meanwhile"})
    assert capsys.readouterr().err == ""
    live.event({"kind": "terminal", "open": False, "why": ""})
    live.close()
    assert "warning: meanwhile" in capsys.readouterr().err
