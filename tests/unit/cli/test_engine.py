"""Where a session comes from, and one clear error when none can be had."""

from __future__ import annotations

import io
import os
from types import SimpleNamespace

import pytest

from sealane.cli import engine
from sealane.cli.cache import size
from sealane.cli.main import run
from sealane.cli.options import Options, head, scan
from sealane.cli.progress import Plain
from sealane.cli.rootless import SubIds, subordinate
from sealane.errors import HostLacks, UsageError


@pytest.mark.parametrize(
    ("platform", "release", "reason"),
    [("darwin", "24.0", "not-linux"), ("linux", "5.15.0-91-generic", "kernel-too-old"), ("linux", "6.1.0-18", None)],
)
def test_a_machine_that_cannot_is_told_how_to_go_on(monkeypatch, platform, release, reason):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    if reason is None:
        engine.check_machine()
        return
    with pytest.raises(HostLacks) as caught:
        engine.check_machine()
    assert caught.value.reason == reason
    assert "--engine dagger" in caught.value.hint


def test_state_is_where_it_is_told_to_be_or_where_xdg_says(monkeypatch):
    assert str(engine.home({"SEALANE_HOME": "/x"})) == "/x"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert str(engine.home({})) == "/var/lib/sealane"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert str(engine.home({"XDG_DATA_HOME": "/d"})) == "/d/sealane"


def test_a_port_without_a_token_is_no_session(capsys, monkeypatch):
    monkeypatch.setenv("DAGGER_SESSION_PORT", "1")
    monkeypatch.delenv("DAGGER_SESSION_TOKEN", raising=False)
    assert run(["-s", "call"]) == 1
    assert "DAGGER_SESSION_TOKEN must be" in capsys.readouterr().err


def test_a_session_that_does_not_answer_is_one_error(capsys, monkeypatch):
    monkeypatch.setenv("DAGGER_SESSION_PORT", "1")
    monkeypatch.setenv("DAGGER_SESSION_TOKEN", "t")
    assert run(["-s", "call"]) == 1
    assert capsys.readouterr().err.startswith("Error: the session at port 1 does not answer: ")


def test_without_dagger_on_the_path_its_engine_cannot_be_used(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(["--engine", "dagger", "call", "lint"]) == 1
    assert capsys.readouterr().err.startswith("Error: --engine dagger needs the dagger command line")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "x", "call"], 'unknown engine "x"'),
        (["--progress", "x", "call"], 'unknown progress type "x"'),
        (["nope"], 'unknown command "nope" for "sealane"'),
        (["--workdir", "/nowhere-at-all", "call"], "change workdir: /nowhere-at-all: No such file or directory"),
        (["run", "--bogus"], "unknown flag: --bogus"),
        (["session", "--bogus"], "unknown flag: --bogus"),
        (["call", "-m", "a", "-M"], "if any flags in the group [mod no-mod]"),
    ],
)
def test_wrong_words_are_one_clear_error(capsys, words, message):
    assert run(words) == 1
    assert capsys.readouterr().err.startswith(f"Error: {message}")


def test_a_command_runs_with_the_session_and_gives_its_exit_code(capfd, monkeypatch):
    monkeypatch.setenv("DAGGER_SESSION_PORT", "1234")
    monkeypatch.setenv("DAGGER_SESSION_TOKEN", "t")
    assert run(["run", "sh", "-c", "echo $DAGGER_SESSION_PORT; exit 9"]) == 9
    assert capfd.readouterr().out == "1234\n"
    assert run(["run", "sh", "-c", "kill -TERM $$"]) == 143
    assert run(["run", "no-such-command"]) == 1


def test_a_users_first_long_enough_range_is_taken():
    table = "other:1:99999\nme:200000:1000\n# x\nme:300000:65536\n1000:400000:65536\n"
    assert subordinate(table, "me", 1000) == SubIds(300000, 65536)
    assert subordinate(table, "somebody", 1000) == SubIds(400000, 65536)
    assert subordinate(table, "somebody", 1001) is None


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("10G", 10**10), ("1.5MiB", 1572864), ("7 kB", 7000)])
def test_sizes(text, expected):
    assert size(text) == expected
    with pytest.raises(UsageError):
        size(text + "x")


def test_plain_progress_is_one_line_each_with_logs_between():
    stream = io.StringIO()
    plain = Plain(stream)
    with plain.span("connect"):
        pass
    labels = {"sealane.stage": "lint"}
    plain.event({"kind": "step-start", "key": "k", "name": "withExec ls", "labels": labels})
    plain.event({"kind": "log", "key": "k", "text": "a\nhalf"})
    plain.event({"kind": "log", "key": "k", "text": " line"})
    plain.event({"kind": "step-end", "key": "k", "name": "withExec ls", "seconds": 1.25, "error": "exit code: 3"})
    plain.event({"kind": "cache", "key": "l", "name": "withExec cat", "verdict": "hit"})
    text = stream.getvalue()
    assert text.startswith("1   : connect\n1   : connect DONE [0.0s]\n\n2   : [lint] withExec ls\n2   : [0.0s] | a\n")
    assert text.endswith(
        "2   : [0.0s] | half line\n2   : [lint] withExec ls ERROR [1.2s]\n2   : ! exit code: 3\n\n"
        "3   : withExec cat CACHED [0.0s]\n"
    )


def test_calling_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, sealane.cli.main, sealane.cli.call, sealane.cli.pipeline\n"
        "heavy = {'pydantic', 'typer', 'rich', 'dagger', 'graphql', 'httpx', 'asyncio', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_locked_is_ours_before_the_verb_and_a_functions_own_after_it():
    assert head(Options(), ["--locked", "call"])[0].lock_mode == "frozen"
    assert scan(Options(), ["sync", "--locked"]).lock_mode == ""
    assert scan(Options(), ["sync", "--lock=frozen"]).lock_mode == "frozen"
    with pytest.raises(UsageError) as caught:
        scan(Options(), ["--lock", "loose"])
    assert caught.value.reason == "unknown-lock"


@pytest.mark.parametrize(
    ("mode", "there", "words"),
    [
        ("", False, ()),
        ("", True, ("--lock", "pinned", "--lock-file")),
        ("pinned", False, ()),
        ("frozen", True, ("--lock", "frozen", "--lock-file")),
        ("frozen", False, None),
        ("live", True, ("--lock", "live")),
        ("disabled", True, ("--lock", "disabled")),
    ],
)
def test_the_engine_is_told_what_is_pinned(monkeypatch, tmp_path, mode, there, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    if there:
        (tmp_path / "sealane.lock").touch()
    options = Options(lock=mode)
    if words is None:
        with pytest.raises(UsageError) as caught:
            engine.lock_words(options)
        assert caught.value.reason == "no-lock"
        return
    assert engine.lock_words(options)[:3] == words
