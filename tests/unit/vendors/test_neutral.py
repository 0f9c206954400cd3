"""Whatever is printed, no vendor finds a command in it: each vendor's own way to look for one, over hostile text."""

from __future__ import annotations

import re

import pytest

from sealane.vendors.neutral import LONGEST, Neutral, neutral

# How each vendor's runner or log viewer finds its commands in a line, written from its documentation or source.
READERS = {
    "GitHub": re.compile(r"^\s*::[^\n]*::"),
    "GitHub, the older form": re.compile(r"##\[", re.IGNORECASE),
    "Azure": re.compile(r"##(vso)?\[", re.IGNORECASE),
    "TeamCity": re.compile(r"##teamcity\[", re.IGNORECASE),
    "GitLab": re.compile(r"section_(start|end):\d+:"),
    "Buildkite": re.compile(r"^\s*(---|\+\+\+|~~~|\^\^\^)"),
    "a terminal": re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"),
    "a line's end": re.compile(r"[\u2028\u2029\x85]"),
    "the direction of writing": re.compile(r"[\u202a-\u202e\u2066-\u2069]"),
}
HOSTILE = [
    b"::set-output name=x::y",
    b"  ::add-mask::a",
    b"\xc2\xa0\xe3\x80\x80::error::a",
    b"::stop-commands::pause",
    b"\x1b[0m::warning file=a::b",
    b":\x1b[0m:set-env name=A::b",
    b":\x00:set-env name=A::b",
    b"x\r::add-path::/tmp",
    b"\xff::add-path::/tmp",
    b"##[set-env name=A]b",
    b"a ##vso[task.setvariable variable=a]b",
    b"#\x1b[1m#vso[task.complete result=Succeeded;]",
    b"##VSO[task.complete result=Succeeded;]",
    b"##[section]ok",
    b"##teamcity[buildStatus text='ok' status='SUCCESS']",
    b"section_start:1560896352:a[collapsed=true]\r\x1b[0Kb",
    b"\x1b[0Ksection_end:1560896353:a\r\x1b[0K",
    b"--- ok",
    b"+++ ok",
    b"~~~ ok",
    b"^^^ +++",
    b"\x1b]1338;url='https://example.org/x.gif'\x07",
    b"\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\",
    b"\x1b]52;c;aGk=\x07",
    b"\x1b_bk;t=1\x07",
    b"\x1bP1$r0m\x1b\\",
    b"\x9b2J",
    b"\xc2\x9b2J",
    b"\x1b\x1b[0m[31mred",
    b"\x1b]0;never ended",
    b"\x1b[",
    b"\x1b",
    b"10%\r20%\r::endgroup::",
    b"abc\x08\x08\x08::x::",
    b"a\xe2\x80\xa8::error::b",
    b"a\xe2\x80\xae::error::b",
    b"\xef\xbb\xbf::error::b",
    b"##" + b"\x1b[m" * 50 + b"vso[task.complete]",
]


def lines(data: bytes, size: int) -> list[str]:
    stream = Neutral()
    said = "".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size)) + stream.end()
    return said.split("\n")


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("payload", HOSTILE)
def test_no_vendor_finds_a_command(payload: bytes, size: int):
    for line in lines(b"before\n" + payload + b"\nafter", size):
        for name, reader in READERS.items():
            assert not reader.search(line), name


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "FAILED tests/test_a.py::test_b - assert 1 == 2",
        "a = b  # ##",
        "\tindented",
        "std::vector<int>",
        "größer ✔ 日本",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str, size: int):
    assert lines(f"{text}\n".encode(), size) == [text, ""]


def test_colours_go_and_words_stay():
    assert neutral("\x1b[1;31mFAILED\x1b[0m tests") == "FAILED tests"


def test_a_progress_bar_is_lines():
    assert lines(b"10%\r20%\r\n30%\n", 4) == ["10%", "20%", "30%", ""]


def test_what_is_no_text_is_shown():
    assert lines(b"a\xffb\x00c\n", 2) == ["a\ufffdb\\x00c", ""]


def test_a_line_that_never_ends_is_cut_and_stays_harmless():
    data = b"x" * (LONGEST - 3) + b"##vso[task.complete]" + b"y" * LONGEST
    said = lines(data, 4096)
    assert max(map(len, said)) <= LONGEST + 8
    assert not any(READERS["Azure"].search(line) for line in said)
    assert "".join(said).replace("\\", "").count("y") == LONGEST


def test_a_long_line_may_not_begin_with_a_command_where_it_is_cut():
    for cut in range(4):
        for line in lines(b"x" * (LONGEST - cut) + b"::error::forged", 1000):
            assert not READERS["GitHub"].search(line)
