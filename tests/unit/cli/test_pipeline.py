"""`call pipeline` exports its report too, and never loses it to a failure."""

from __future__ import annotations

import pytest
from sealane_cli_fake import Failure, arg, function, object_type

ARGUMENTS = (arg("source", "Directory?"), arg("only", "[String!]?"))
TYPES = [
    object_type("Query", function("pipeline", "String", *ARGUMENTS), function("report", "Directory", *ARGUMENTS)),
    {
        "name": "[String!]",
        "kind": "LIST_KIND",
        "optional": False,
        "asList": {"elementTypeDef": {"name": "String", "optional": False}},
    },
]


def answer(path):
    names = [name for name, _ in path]
    if "configExists" in names or "serve" in names:
        return True
    if names[0] == "address":
        return "id:source"
    return path[-1][1]["path"] if names[-1] == "export" else "all fine\n"


def exports(session):
    return [path for path in session.paths if path[-1][0] == "export"]


def test_the_report_has_the_same_arguments_and_goes_to_out(sealane):
    ran = sealane(TYPES, answer, "call", "pipeline", "--source", "x", "--only", "a,b")
    assert (ran.code, ran.out) == (0, "all fine\n")
    assert exports(ran.session) == [
        [("report", {"source": "id:source", "only": ["a", "b"]}), ("export", {"path": "out"})]
    ]
    assert 'Report saved to "out".' in ran.err


def test_o_says_where_the_report_goes(sealane):
    ran = sealane(TYPES, answer, "call", "pipeline", "-o", "elsewhere")
    assert exports(ran.session)[0][-1] == ("export", {"path": "elsewhere"})


def test_a_failed_pipeline_still_has_its_report_and_fails(sealane):
    def fail(path):
        if path[-1][0] == "pipeline":
            raise Failure("2 gates failed")
        return answer(path)

    ran = sealane(TYPES, fail, "call", "pipeline")
    assert ran.code == 1
    assert len(exports(ran.session)) == 1
    assert ran.err == 'Report saved to "out".\nError: 2 gates failed\n'


def test_a_report_that_cannot_be_had_does_not_hide_why_the_pipeline_failed(sealane):
    def fail(path):
        if path[0][0] in ("pipeline", "report"):
            raise Failure(f"no {path[0][0]}")
        return answer(path)

    ran = sealane(TYPES, fail, "call", "pipeline")
    assert ran.err == "No report was written: no report\nError: no pipeline\n"


def test_a_module_without_a_report_is_called_like_any_other(sealane):
    types = [object_type("Query", function("pipeline", "String"), function("report", "String"))]
    ran = sealane(types, answer, "call", "pipeline")
    assert (ran.code, ran.err, exports(ran.session)) == (0, "", [])


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        (
            ["--source", "x", "pipeline", "--only", "a", "-o", "there"],
            [
                ["call", "--source", "x", "run", "--only", "a"],
                ["call", "--source", "x", "report", "--only", "a", "-o", "there"],
            ],
        ),
        (["pipeline"], [["call", "run"], ["call", "report", "-o", "out"]]),
        (["lint", "--source", "pipeline"], [["call", "lint", "--source", "pipeline"]]),
    ],
)
def test_on_a_dagger_engine_pipeline_goes_by_the_name_that_its_command_line_shows(
    tmp_path, monkeypatch, words, commands
):
    import os
    import subprocess
    import sys

    (tmp_path / "dagger.json").write_text("{}")
    dagger = tmp_path / "bin/dagger"
    dagger.parent.mkdir()
    dagger.write_text(
        f'#!/bin/sh\nfor word; do printf "%s\\037" "$word"; done >>{tmp_path}/log\necho >>{tmp_path}/log\nexit 4\n'
    )
    dagger.chmod(0o755)
    environ = {**os.environ, "PATH": f"{dagger.parent}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "sealane", "--engine", "dagger", "call", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environ, check=False)
    ran = [line.split("\037")[:-1] for line in (tmp_path / "log").read_text().splitlines()]
    assert (ran, done.returncode) == (commands, 4)
