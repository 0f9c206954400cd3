"""Complexity and duplication: figures whatever they are, findings where a bound is passed."""

import json

import pytest

from sealane.config.gates import GatesConfig
from sealane.errors import ReportUnreadable
from sealane.findings import quality

BOUNDS = GatesConfig()
LIZARD = """6,1,57,1,6,"one@34-36@/src/app/a.py","/src/app/a.py","one","one( x : int )",34,36
40,11,420,1,43,"many@74-116@app/a.py","app/a.py","many","many( a , b )",74,116
"""
COMPLEXIPY = {
    "runs": [
        {
            "results": [
                {
                    "message": {"text": f"Function 'f' has a cognitive complexity of {n}, which exceeds the maximum allowed complexity of 0."},
                    "locations": [
                        {
                            "logicalLocations": [{"kind": "function", "name": "f"}],
                            "physicalLocation": {"artifactLocation": {"uri": "app/a.py"}, "region": {"startLine": n, "endLine": 94}},
                        }
                    ],
                }
                for n in (3, 16)
            ]
        }
    ]
}  # fmt: skip


def clones(percent: object) -> str:
    clone = {
        "lines": 9,
        "firstFile": {"name": "/src/app/a.py", "start": 28, "end": 36},
        "secondFile": {"name": "/src/app/b.py", "start": 25, "end": 33},
    }
    return json.dumps({"statistics": {"total": {"percentage": percent}}, "duplicates": [clone]})


def test_the_most_complex_function_is_the_figure_and_each_over_the_bound_a_finding():
    measured = quality.lizard(LIZARD, BOUNDS)
    assert measured.figures == {"complexity.cyclomatic": 11}
    assert [(f.tool, f.rule, f.file, f.line) for f in measured.findings] == [("lizard", "cyclomatic", "app/a.py", 74)]
    measured = quality.complexipy(json.dumps(COMPLEXIPY), BOUNDS)
    assert measured.figures == {"complexity.cognitive": 16}
    assert [(f.tool, f.rule, f.file, f.line) for f in measured.findings] == [
        ("complexipy", "cognitive", "app/a.py", 16)
    ]


def test_a_bound_that_is_switched_off_finds_nothing_and_still_measures():
    off = GatesConfig.model_validate({"complexity": {"cyclomatic": None}})
    assert quality.lizard(LIZARD, off) == quality.Measured({"complexity.cyclomatic": 11})


def test_clones_are_findings_only_where_there_are_too_many_of_them():
    assert quality.jscpd(clones(2.999), BOUNDS) == quality.Measured({"duplication": 3.0})
    measured = quality.jscpd(clones(3.5), BOUNDS)
    assert [(f.file, f.line, f.message) for f in measured.findings] == [("app/a.py", 28, "9 lines as in app/b.py:25")]
    assert quality.jscpd(clones(float("nan")), BOUNDS).findings


@pytest.mark.parametrize("reader", [quality.lizard, quality.complexipy, quality.jscpd], ids=lambda r: r.__name__)
@pytest.mark.parametrize("text", ["a,b,c\n", '{"runs": [{}]}', '{"statistics": 1}', "[]"])
def test_a_report_that_is_none_is_an_error_not_a_figure(reader, text):
    with pytest.raises(ReportUnreadable):
        reader(text, BOUNDS)
