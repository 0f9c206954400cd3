"""A Python module that knows nothing of us, run by `sealane call` on the embedded engine."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """A copy of the module that a test may edit, in a git working copy of its own."""
    folder = tmp_path_factory.mktemp("greeter") / "greeter"
    shutil.copytree(HERE / "modules/greeter", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def sealane(module):
    def run(*words, cwd=module, env=None):
        environ = {**os.environ, **(env or {}), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "sealane", "--silent", *words]
        return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=300)

    return run


def out(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_defaults_enums_and_constructor_arguments(sealane):
    assert out(sealane("call", "hello", "--name", "you")) == "Hello, you!"
    loud = out(sealane("call", "--greeting", "Hi", "hello", "--name", "you", "--volume", "loud", "--times", "2"))
    assert loud == "HI, YOU! HI, YOU!"


def test_defaults_of_the_users_own_come_from_env_files(sealane, module, tmp_path):
    (module / ".env").write_text("GREETING=Ahoy\nHELLO_TIMES=2\n")
    try:
        assert out(sealane("call", "hello", "--name", "you")) == "Ahoy, you! Ahoy, you!"
        assert out(sealane("call", "--greeting", "Hi", "hello", "--name", "x", "--times", "1")) == "Hi, x!"
        (tmp_path / ".env").write_text("GREETER_HELLO_NAME=nobody\nGREETER_WHISPER_WORD=env://WORD\n")
        assert out(sealane("call", "-m", str(module), "hello", cwd=tmp_path)) == "Ahoy, nobody! Ahoy, nobody!"
        assert out(sealane("call", "-m", str(module), "whisper", cwd=tmp_path, env={"WORD": "12345"})) == "5"
    finally:
        (module / ".env").unlink()


def test_lists_in_and_out(sealane):
    assert out(sealane("call", "everyone", "--names", "a,b", "--names", "c")).splitlines() == [
        f"Hello, {name}!" for name in "abc"
    ]
    assert json.loads(out(sealane("call", "-j", "everyone", "--names", "a"))) == ["Hello, a!"]


def test_own_objects_have_fields_and_functions_and_keep_what_they_hold(sealane, tmp_path):
    assert out(sealane("call", "card", "--name", "x", "text")) == "Hello, x!\n"
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper/watermark").write_text("w")
    words = ("--base", str(tmp_path / "paper"), "card", "--name", "x", "copied", "--copies", "3")
    done = sealane("call", *words, "file", "-o", str(tmp_path / "card.txt"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f'Saved to "{tmp_path}/card.txt".\n')
    assert (tmp_path / "card.txt").read_text() == "Hello, x!\n" * 3


def test_a_kept_answer_belongs_to_what_a_directory_holds_and_not_to_where_it_was(sealane, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "watermark").write_text(tmp_path.name)
    words = ("card", "--name", "x", "paper", "file", "--path", "watermark", "contents")
    assert out(sealane("call", "--base", str(tmp_path / "first"), *words)) == tmp_path.name
    (tmp_path / "first/watermark").write_text("changed since")
    assert out(sealane("call", "--base", str(tmp_path / "second"), *words)) == tmp_path.name
    shutil.rmtree(tmp_path / "first")
    assert out(sealane("call", "--base", str(tmp_path / "second"), *words)) == tmp_path.name


def test_a_list_of_own_objects_prints_their_ids_and_can_be_chained_on(sealane):
    lines = out(sealane("call", "cards", "--names", "a,b")).splitlines()
    assert [line.split("@")[0] for line in lines] == ["- GreeterCard"] * 2
    assert (
        out(sealane("call", "-j", "cards", "--names", "a,b", "text"))
        == json.dumps(["Hello, a!\n", "Hello, b!\n"], indent=4) + "\n"
    )


def test_a_directory_argument_and_one_found_where_the_module_is(sealane, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.txt").touch()
    (tmp_path / "y.md").touch()
    assert out(sealane("call", "read", "--source", str(tmp_path))).splitlines() == ["d/x.txt"]
    entries = out(sealane("call", "own-files")).splitlines()
    assert "dagger.json" in entries
    assert "src/" not in entries


def test_a_secret_argument_is_read_from_the_callers_environment(sealane):
    assert out(sealane("call", "whisper", "--word", "env:WORD", env={"WORD": "0123456789"})) == "10"
    done = sealane("call", "whisper", "--word", "env:MISSING_WORD")
    assert done.returncode == 1
    assert 'secret env var not found: "MIS..."' in done.stderr


def test_a_function_runs_containers(sealane):
    assert out(sealane("call", "shout", "--name", "bob")) == "Hello, bob!\n"


def test_a_service_argument_is_a_port_of_the_callers_machine(sealane, tmp_path):
    (tmp_path / "hello.txt").write_text("from the host")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def handler(*args):
        return Quiet(*args, directory=str(tmp_path))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        port = str(server.server_address[1])
        words = ("call", "ask", "--service", f"tcp://127.0.0.1:{port}", "--port", port)
        assert out(sealane(*words)).strip() == "from the host"
        (tmp_path / "hello.txt").write_text("changed")  # nobody may say what a port said the last time
        assert out(sealane(*words)).strip() == "changed"
        server.shutdown()
        serving.join()


def test_a_failed_command_crosses_the_modules_border_with_its_exit_code(sealane):
    done = sealane("call", "fail", "--code", "7")
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr == "Error: exit code: 7\nStdout:\nto stdout\nStderr:\nto stderr\n"


def test_an_exception_is_one_line(sealane):
    done = sealane("call", "refuse")
    assert (done.returncode, done.stderr) == (1, "Error: FunctionError: nobody is here\n")


def test_answers_are_kept_by_content_unless_they_say_never(sealane):
    once = [out(sealane("call", "once", "--tag", tag)) for tag in ("t", "t", "u")]
    assert once[0] == once[1] != once[2]
    assert out(sealane("call", "now")) != out(sealane("call", "now"))


def test_checks_run_side_by_side_and_one_failure_fails(sealane):
    listed = out(sealane("check", "-l")).splitlines()
    assert [line.split()[0] for line in listed] == ["Name", "polite", "quick"]
    done = sealane("check")
    assert (done.returncode, done.stderr) == (1, "✘ quick: FunctionError: too slow\nError: 1 checks failed\n")
    assert sealane("check", "polite").returncode == 0


def test_an_edit_of_the_code_is_seen(sealane, module):
    main = module / "src/greeter/main.py"
    before = main.read_text()
    first = out(sealane("call", "once", "--tag", "t"))
    try:
        main.write_text(
            before.replace('"""Greets."""', '"""Greets, and adds."""\n\n    added: str = field(default="new")')
        )
        assert out(sealane("call", "added")) == "new"
        assert out(sealane("call", "once", "--tag", "t")) != first
    finally:
        main.write_text(before)
    assert out(sealane("call", "once", "--tag", "t")) == first


def test_code_that_cannot_be_imported_is_told_as_such(sealane, module):
    main = module / "src/greeter/main.py"
    before = main.read_text()
    try:
        main.write_text("import nothing_of_that_name\n" + before)
        done = sealane("call", "hello", "--name", "x")
        assert done.returncode == 1
        assert "nothing_of_that_name" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        main.write_text(before)


def test_a_session_for_an_sdk_is_the_contract_of_dagger_session(sealane, tmp_path):
    script = tmp_path / "pipeline.py"
    script.write_text(
        "import anyio, dagger\n"
        "async def main():\n"
        "    async with dagger.connection():\n"
        "        made = dagger.dag.container().from_('debian:bookworm-slim').with_exec(['echo', 'hi'])\n"
        "        print(await made.stdout(), end='')\n"
        "anyio.run(main)\n"
    )
    wrapper = tmp_path / "sealane"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m sealane "$@"\n')
    wrapper.chmod(0o755)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
        environ.pop(name, None)
    own = {**environ, "_EXPERIMENTAL_DAGGER_CLI_BIN": str(wrapper)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout == "hi\n", done.stderr
    done = subprocess.run(
        [str(wrapper), "-s", "run", *command], env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout == "hi\n", done.stderr


def test_files_of_dagger_1_are_read(sealane, module, tmp_path):
    """A module's own file, and a workspace's that names it as the entry point, with settings for its constructor."""
    folder = tmp_path / "tools/greeter"
    shutil.copytree(module, folder, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    (folder / "dagger.json").unlink()
    (folder / "dagger-module.toml").write_text('name = "greeter"\n\n[runtime]\nsource = "python"\n')
    (tmp_path / ".git").mkdir()
    assert out(sealane("call", "hello", "--name", "you", cwd=folder)) == "Hello, you!"
    entry = '[modules.greeter]\nsource = "tools/greeter"\nentrypoint = true\nsettings = { greeting = "Ahoy" }\n'
    (tmp_path / "dagger.toml").write_text(entry)
    (tmp_path / "docs").mkdir()
    assert out(sealane("call", "hello", "--name", "you", cwd=tmp_path / "docs")) == "Ahoy, you!"
    assert out(sealane("call", "--greeting", "Hi", "hello", "--name", "you", cwd=tmp_path)) == "Hi, you!"
    (tmp_path / "dagger.toml").write_text(entry.replace("tools/", "nowhere/"))
    done = sealane("call", "hello", "--name", "you", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "module 'greeter' is at nowhere/greeter" in done.stderr
