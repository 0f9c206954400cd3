"""`sealane call` against a fake session: flags, chaining, output, errors and exit codes as Dagger's."""

from __future__ import annotations

import base64
import json

import pytest
from sealane_cli_fake import Failure, arg, enum_type, function, list_type, object_type

TYPES = [
    object_type(
        "Query",
        function(
            "with", "Query", arg("source", "Directory?", ignore=(".venv",)), arg("name", "String", default="demo")
        ),
        function(
            "hello", "String", arg("name", "String"), arg("times", "Int", default=1), description="Say hello.\nMore."
        ),
        function("lint", "DemoRun", arg("level", "Level", default="LOW"), arg("tools", "[String!]?")),
        function("numbers", "[Int!]", arg("factor", "Float?"), arg("upTo3", "Int?")),
        function("dirs", "[Directory!]", arg("all", "[Directory!]?"), arg("levels", "[Level!]?")),
        function("base", "Container", arg("token", "Secret?"), arg("db", "Service?")),
        function("notes", "File"),
        function("wipe", "Void?", arg("force", "Boolean", default=False)),
        function("odd", "String", arg("thing", "DemoRun")),
        fields=None,
    ),
    object_type("DemoRun", function("report", "Directory"), fields={"passed": "Boolean", "score": "Float"}),
    enum_type("Level", "LOW", "HIGH"),
    list_type("String"),
    list_type("Int"),
    list_type("Directory"),
    list_type("Level"),
]


def encoded(type_name: str, digest: str) -> str:
    """A recipe id of one call."""

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    call = field(2, field(1, type_name.encode())) + field(9, digest.encode())
    entry = field(1, digest.encode()) + field(2, call)
    return base64.b64encode(field(1, field(1, digest.encode()) + field(2, entry))).decode()


def answer(path):
    """Ids for objects, and something of every kind for the rest."""
    names = [name for name, _ in path]
    last, arguments = path[-1]
    if "configExists" in names:
        return True
    if "serve" in names:
        return None
    if names[0] in ("address", "cacheVolume"):
        return f"id:{path[0][1].get('value')}"
    if last == "export":
        return arguments["path"]
    if last in ("sync", "id"):
        return encoded("Container", "sha256:abc")
    return {"hello": "hi", "numbers": [1, 2], "passed": True, "score": 3.0, "wipe": None}.get(last, "text")


def test_sends_arguments_by_schema_name_and_prints_a_string_as_it_is(sealane):
    ran = sealane(TYPES, answer, "call", "hello", "--name", 'a "b"\n', "--times=3")
    assert (ran.code, ran.out) == (0, "hi")
    assert ran.session.paths[-1] == [("hello", {"name": 'a "b"\n', "times": 3})]


def test_serves_the_module_named_by_m_with_its_functions_on_query(sealane):
    ran = sealane(TYPES, answer, "call", "-m", "github.com/x/y", "hello", "--name", "x")
    assert ran.code == 0
    assert ran.session.paths[1][0] == ("moduleSource", {"refString": "github.com/x/y"})
    assert ran.session.paths[1][-1] == ("serve", {"entrypoint": True})


def test_optional_arguments_are_sent_only_when_given(sealane):
    ran = sealane(TYPES, answer, "call", "numbers")
    assert ran.session.paths[-1] == [("numbers", {})]
    assert ran.out == "1\n2\n"


def test_a_digit_is_a_word_of_its_own_in_a_flag(sealane):
    assert sealane(TYPES, answer, "call", "numbers", "--up-to-3", "7").session.paths[-1] == [("numbers", {"upTo3": 7})]


@pytest.mark.parametrize("spelled", ["--up-to-3", "--upTo3", "--UpTo3"])
def test_flag_names_have_any_case(sealane, spelled):
    assert sealane(TYPES, answer, "call", "numbers", spelled, "7").code == 0


def test_constructor_flags_come_before_the_function_and_go_through_with(sealane):
    ran = sealane(TYPES, answer, "call", "--source", ".", "hello", "--name", "x")
    assert ran.code == 0
    directory = next(path for path in ran.session.paths if path[0][0] == "address")
    assert directory == [("address", {"value": "."}), ("directory", {"exclude": [".venv"]}), ("sync", {})]
    assert ran.session.paths[-1] == [("with", {"source": "id:."}), ("hello", {"name": "x"})]


def test_chains_on_returned_objects(sealane):
    ran = sealane(TYPES, answer, "call", "lint", "--level", "high", "--tools", "a,b", "--tools", '"c,d"', "passed")
    assert ran.out == "true"
    assert ran.session.paths[-1] == [("lint", {"level": "HIGH", "tools": ["a", "b", "c,d"]}), ("passed", {})]


def test_an_integral_float_prints_as_go_does(sealane):
    assert sealane(TYPES, answer, "call", "lint", "score").out == "3"


def test_lists_of_objects_and_enums_are_comma_separated(sealane):
    ran = sealane(TYPES, answer, "call", "dirs", "--all", "a, b", "--levels", "low,HIGH")
    assert ran.session.paths[-1][0] == ("dirs", {"all": ["id:a", "id:b"], "levels": ["LOW", "HIGH"]})


def test_objects_print_type_and_digest(sealane):
    assert sealane(TYPES, answer, "call", "base").out == "Container@sha256:abc\n"


def test_secret_and_service_arguments_resolve_on_the_session(sealane):
    ran = sealane(TYPES, answer, "call", "base", "--token", "env:T", "--db", "tcp://h:1", "stdout")
    asked = {tuple(name for name, _ in path) for path in ran.session.paths if path[0][0] == "address"}
    assert asked == {("address", "secret", "id"), ("address", "service", "start")}


def test_output_exports_a_file_and_says_where_on_stderr(sealane):
    ran = sealane(TYPES, answer, "call", "notes", "-o", "n.txt")
    assert ran.session.paths[-1] == [("notes", {}), ("export", {"path": "n.txt", "allowParentDirPath": True})]
    assert (ran.out, ran.err) == ("", 'Saved to "n.txt".\n')


def test_output_of_another_value_is_written_and_printed(sealane, tmp_path):
    ran = sealane(TYPES, answer, "call", "hello", "--name", "x", "-o", "d/out.txt")
    assert (tmp_path / "d/out.txt").read_text() == ran.out == "hi"
    assert ran.err == f'Saved output to "{tmp_path}/d/out.txt".\n'


def test_json_is_indented_by_four(sealane):
    ran = sealane(TYPES, answer, "call", "-j", "numbers")
    assert ran.out == "[\n    1,\n    2\n]\n"
    assert json.loads(ran.out) == [1, 2]


def test_void_prints_nothing(sealane):
    ran = sealane(TYPES, answer, "call", "wipe", "--force")
    assert (ran.code, ran.out) == (0, "")
    assert ran.session.paths[-1] == [("wipe", {"force": True})]


def test_no_words_name_the_root(sealane):
    assert sealane(TYPES, answer, "call").out == "Query\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nope",), 'Error: unknown command "nope" for "sealane call"\nRun \'sealane call --help\' for usage.\n'),
        (
            ("hello", "x"),
            "Error: required flag(s) \"name\" not set\nRun 'sealane call hello --help' for usage.\n",
        ),
        (
            ("lint", "--level", "bogus"),
            (
                'Error: invalid argument "bogus" for "--level" flag: value should be one of HIGH,LOW\n'
                "Run 'sealane call lint --help' for usage.\n"
            ),
        ),
        (
            ("numbers", "--up-to-3", "x"),
            (
                'Error: invalid argument "x" for "--up-to-3" flag: strconv.ParseInt: parsing "x": invalid syntax\n'
                "Run 'sealane call numbers --help' for usage.\n"
            ),
        ),
        (("hello", "--nope"), "Error: unknown flag: --nope\nRun 'sealane call hello --help' for usage.\n"),
        (("hello", "--name"), "Error: flag needs an argument: --name\nRun 'sealane call hello --help' for usage.\n"),
        (("hello", "-z"), "Error: unknown shorthand flag: 'z' in -z\nRun 'sealane call hello --help' for usage.\n"),
        (("odd",), 'Error: unknown command "odd" for "sealane call"\nRun \'sealane call --help\' for usage.\n'),
    ],
)
def test_wrong_words_are_one_clear_error(sealane, words, message):
    ran = sealane(TYPES, answer, "call", *words)
    assert (ran.code, ran.out, ran.err) == (1, "", message)


def test_a_failed_command_gives_its_exit_code_and_output(sealane):
    def fail(path):
        if path[-1][0] == "hello":
            raise Failure("exit code: 3", _type="EXEC_ERROR", cmd=["x"], exitCode=3, stdout="out", stderr="err")
        return answer(path)

    ran = sealane(TYPES, fail, "call", "hello", "--name", "x")
    assert (ran.code, ran.err) == (3, "Error: exit code: 3\nStdout:\nout\nStderr:\nerr\n")


def test_another_error_is_one_line_and_1(sealane):
    def fail(path):
        if path[0][0] == "address":
            raise Failure('secret env var not found: "MY_..."')
        return answer(path)

    ran = sealane(TYPES, fail, "call", "base", "--token", "env:MY_TOKEN", "stdout")
    assert ran.code == 1
    assert ran.err == 'Error: failed to get value for argument "token": secret env var not found: "MY_..."\n'


def test_without_a_module_it_says_where_it_looked(sealane):
    ran = sealane(TYPES, lambda _: False, "call", "hello")
    assert ran.code == 1
    assert ran.err.startswith('Error: no dagger.json in "." or in a directory above it\n')


def test_a_constructor_argument_that_must_be_given_is_asked_for(sealane):
    query = object_type("Query", function("with", "Query", arg("source", "Directory")), function("hello", "String"))
    ran = sealane([query], answer, "call", "hello")
    assert ran.err == "Error: required flag(s) \"source\" not set\nRun 'sealane call --help' for usage.\n"


def test_help_shows_functions_arguments_and_defaults(sealane):
    ran = sealane(TYPES, answer, "call", "--help")
    assert ran.code == 0
    assert "USAGE\n  sealane call [options] [arguments] <function>\n" in ran.out
    assert "  hello         Say hello.\n" in ran.out
    assert '      --name string        (default "demo")\n      --source Directory\n' in ran.out
    assert (
        "      --name string   [required]\n      --times int     (default 1)\n"
        in sealane(TYPES, answer, "call", "hello", "--help").out
    )
    ran = sealane(TYPES, answer, "call", "lint", "--help")
    assert ran.out == (
        "-\n\nUSAGE\n  sealane call lint [arguments] <function>\n\n"
        "FUNCTIONS\n  passed        -\n  report        -\n  score         -\n\n"
        "ARGUMENTS\n      --level HIGH,LOW   (default LOW)\n      --tools strings\n\n"
        'Use "sealane call lint [command] --help" for more information about a command.\n'
    )


def test_functions_is_a_sorted_table_and_names_what_it_skips(sealane):
    ran = sealane(TYPES, answer, "functions")
    assert ran.out.splitlines()[0] == "Name      Description"
    assert "hello     Say hello." in ran.out.splitlines()
    assert ran.out.endswith("\nSkipped 2 function(s) with unsupported types: with, odd\n")
    assert sealane(TYPES, answer, "functions", "lint").out.split() == [
        *("Name", "Description", "passed", "-", "report", "-", "score", "-"),
    ]
    ran = sealane(TYPES, answer, "functions", "hello")
    assert ran.err == 'Error: function "hello" returns type "STRING_KIND" with no further functions available\n'
