"""A finding keeps its name when its line moves, and no two findings share one."""

from dataclasses import replace

from sealane.findings import Finding, Severity, fingerprint

BEFORE = "import os\nx = eval(y)\n"
AFTER = '"""A docstring."""\n\nimport os\nif True:\n    x  =  eval(y)\n'


def named(line, source, **values):
    finding = replace(Finding("semgrep", "eval", Severity.HIGH, "eval is evil", "a.py", line), **values)
    (stamped,) = fingerprint.stamp([finding], {"a.py": source})
    return stamped.fingerprint


def test_a_line_that_moves_or_is_indented_keeps_its_fingerprint():
    assert named(2, BEFORE) == named(5, AFTER)


def test_the_message_is_no_part_of_it_where_the_line_is_known():
    assert named(2, BEFORE) == named(2, BEFORE, message="said in other words by a newer version")


def test_another_rule_file_tool_or_line_is_another_finding():
    names = {
        named(2, BEFORE), named(1, BEFORE), named(2, BEFORE, rule="exec"), named(2, BEFORE, tool="bandit"),
        named(2, BEFORE, file="b.py"),
    }  # fmt: skip
    assert len(names) == 5


def test_equal_lines_are_told_apart_by_their_order_in_the_file():
    source = "eval(x)\neval(x)\n"
    two = [Finding("semgrep", "eval", Severity.HIGH, "m", "a.py", line) for line in (2, 1)]
    second, first = fingerprint.stamp(two, {"a.py": source})
    assert first.fingerprint != second.fingerprint
    assert [f.line for f in (second, first)] == [2, 1]
    assert fingerprint.stamp(two[::-1], {"a.py": source})[0].fingerprint == first.fingerprint


def test_without_a_line_the_message_stands_in_less_its_numbers():
    assert named(0, "", message="3 files differ") == named(0, "", message="4 files differ")
    assert named(0, "", message="3 files differ") != named(0, "", message="3 files are missing")
    assert named(99, BEFORE) == named(100, BEFORE)
