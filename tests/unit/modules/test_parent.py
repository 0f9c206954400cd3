"""The process that calls are forks of: each has its own variables and output, and says how it ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

PROGRAM = """
import os, socket, sys, time
from sealane_engine.modules.parent import serve

def app():
    print(os.environ["SAYS"], flush=True)
    if os.environ["SAYS"] == "wait":
        time.sleep(60)
    return int(os.environ["CODE"])

sys.exit(serve(socket.socket(fileno=os.dup(0)), app))
"""


@pytest.fixture
def control():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=theirs)
        ours.settimeout(20)
        yield ours
        ours.shutdown(socket.SHUT_RDWR)
        assert process.wait(20) == 0


def ask(control, ident, says, code=0):
    reading, writing = os.pipe()
    request = {"id": ident, "env": {"SAYS": says, "CODE": str(code)}}
    socket.send_fds(control, [json.dumps(request).encode()], [writing, writing])
    os.close(writing)
    return os.fdopen(reading)


def test_each_call_has_its_own_variables_output_and_end(control):
    with ask(control, 1, "one") as one, ask(control, 2, "two", 3) as two:
        reports = [json.loads(control.recv(4096)) for _ in range(2)]
        assert sorted((each["id"], each["code"]) for each in reports) == [(1, 0), (2, 3)]
        assert (one.read(), two.read()) == ("one\n", "two\n")


def test_a_call_can_be_killed_while_another_goes_on(control):
    with ask(control, 7, "wait") as waits:
        assert waits.readline() == "wait\n"
        control.send(json.dumps({"kill": 7}).encode())
        assert json.loads(control.recv(4096)) == {"id": 7, "code": 128 + signal.SIGKILL}
    with ask(control, 8, "after") as after:
        assert after.read() == "after\n"
        assert json.loads(control.recv(4096))["code"] == 0


def test_arguments_of_the_client_are_checked_as_ever():
    program = (
        "from sealane_engine.modules.parent import load; load(); import dagger; from dagger import dag\n"
        "made = dag.container().with_exec(['x']).with_env_variable('a', 'b')\n"
        "assert type(made) is dagger.Container\n"
        "for call in (made.with_exec, made.with_exec, made.with_workdir):\n"
        "    try: call(1)\n"
        "    except TypeError as error: assert 'violates' in str(error), error\n"
        "    else: raise AssertionError(call)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
