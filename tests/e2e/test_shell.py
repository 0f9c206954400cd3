"""`sealane shell`: pipelines of functions. What each script answers was seen from Dagger's own shell too, on this engine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Sealane

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SCRIPT = """
hello you; .echo; hello --name me --volume LOUD; .echo
.echo -n "a  b" $(hello x); .echo
x=$(directory | with-new-file x "a b"); $x | entries
$x | file x | contents; .echo
everyone a b
everyone a,b
cards a b | text
directory | with-file y $(card z | file) | entries
base=$(container | from debian:bookworm-slim)
$base | with-exec -- sh -c 'echo $0' one | stdout
$base | with-exec ls,/etc/hostname,/nowhere | stdout || .echo failed
! $base | with-exec false | stdout && .echo negated
if hello a; then .echo " then"; else .echo else; fi
for i in p q; do hello $i; done; .echo
greet() { hello $1 | nothing || .echo "$1 of $#"; }; greet z w
with --greeting Hi | hello me; .echo
.echo "${nobody:-default}"
read . | nothing || .echo end
"""
ANSWERS = """\
Hello, you!
HELLO, ME!
a  b Hello, x!
x
a b
Hello, a!
Hello, b!
Hello, a!
Hello, b!
Hello, a!

Hello, b!

y
one
failed
negated
Hello, a! then
Hello, p!Hello, q!
z of 2
Hi, me!
default
end
"""
REFUSED = [
    ("nope", "function or module 'nope' not found"),
    ("container | nope", 'no function "nope" in type "Container"'),
    ("hello", "function 'hello': requires 1 positional argument(s), received 0\nusage: hello [options] <name>"),
    ("hello a --loud", "unknown flag: --loud"),
    ("hello a --times x", "argument 'times': 'x': strconv.ParseInt"),
    ("hello a --volume shrill", "value should be one of LOUD,QUIET"),
    ("hello a | stdout", "'hello' answers a string, which has no function 'stdout'"),
    (".echo a | hello", "unexpected input for command 'hello'"),
    (".nope", "no such command: '.nope'\nThere are .echo"),
    (".echo $nobody", "nobody: unbound variable"),
    ("f() { f; }; f", "the function 'f' calls itself too often"),
    ("a |", "1:4: a command is missing"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shell") / "greeter"
    shutil.copytree(HERE / "modules/greeter", made, ignore=shutil.ignore_patterns("__pycache__"))
    (made / ".git").mkdir()
    return made


def test_a_script_answers_as_daggers_shell_does(sealane: Sealane, folder: Path):
    (folder / "script.sh").write_text(SCRIPT)
    done = sealane("--silent", "shell", "script.sh", cwd=folder)
    (folder / "script.sh").unlink()
    assert (done.stdout, done.returncode) == (ANSWERS, 0), done.stderr


def test_a_failed_command_ends_the_script_with_its_exit_code(sealane: Sealane, folder: Path):
    script = ".echo before; container | from debian:bookworm-slim | with-exec -- sh -c 'exit 9' | stdout; .echo after"
    done = sealane("--silent", "shell", "-c", script, cwd=folder)
    assert (done.stdout, done.returncode) == ("before\n", 9)
    assert "exit code: 9" in done.stderr
    assert sealane("--silent", "shell", "-M", "-c", ".echo a; .exit 3; .echo b", cwd=folder).returncode == 3


def test_what_cannot_work_is_said(sealane: Sealane, folder: Path):
    script = "\n".join(f"{{ {source}; }} || .echo '{number}'" for number, (source, _) in enumerate(REFUSED[:-1]))
    done = sealane("--silent", "shell", "-c", script, cwd=folder)
    assert done.stdout.split() == [str(number) for number in range(len(REFUSED) - 1)], done.stderr
    for source, message in (REFUSED[0], REFUSED[2], REFUSED[8], REFUSED[-1]):
        done = sealane("--silent", "shell", "-c", source, cwd=folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr


def test_help_names_functions_and_arguments(sealane: Sealane, folder: Path):
    done = sealane("--silent", "shell", "-c", ".help; container | .help with-exec; .types; .ls; .pwd", cwd=folder)
    assert done.returncode == 0, done.stderr
    for words in ("hello ", "with-exec [options] <args>", "--redirect-stdout string", "GreeterCard", str(folder)):
        assert words in done.stdout
