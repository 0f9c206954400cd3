"""The guard of a run's output: what is printed, by children too, comes out neutral and in order."""

from __future__ import annotations

import subprocess
import sys
import textwrap

AHEAD = "import os, subprocess, sys\nfrom sealane.cli.guard import Guard\n"


def said(script: str) -> list[str]:
    """What a program prints: the guard is about file descriptors, which pytest has its own hands on."""
    command = [sys.executable, "-c", AHEAD + textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_what_python_and_children_print_is_neutral_and_in_order():
    assert said("""
        with Guard() as guard:
            guard.say("::group::ours")
            print("::error::one")
            subprocess.run([sys.executable, "-c", "import os; os.write(2, b'##vso[task.complete]two\\\\n')"], check=True)
            os.write(1, b"three, never ended")
            guard.say("::endgroup::")
        print("after")
    """) == [
        "::group::ours",
        "\\::error::one",
        "#\\#vso[task.complete]two",
        "three, never ended",
        "::endgroup::",
        "after",
    ]


def test_an_error_leaves_the_descriptors_as_they_were():
    assert said("""
        try:
            with Guard():
                print("::before::")
                1 / 0
        except ZeroDivisionError:
            print("::after::")
    """) == ["\\::before::", "::after::"]


def test_a_process_that_outlives_the_run_does_not_hold_it():
    assert said("""
        with Guard():
            left = subprocess.Popen(["sleep", "20"], stdin=subprocess.DEVNULL)
            print("done")
        left.kill()
        left.wait()
    """) == ["done"]


def test_much_is_printed_whole():
    assert said("""
        with Guard():
            for number in range(20_000):
                print(f"line {number}")
    """) == [f"line {number}" for number in range(20_000)]
