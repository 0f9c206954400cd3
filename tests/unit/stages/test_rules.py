"""The table of rules: every rule that ships says what it must, and has text it finds and text it leaves alone.

That Semgrep agrees is tests/e2e/test_rules.py's to say.
"""

import re
import tomllib
from pathlib import Path

import pytest

from sealane.stages.scanners import semgrep

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "rules"
KINDS = {"ci.yaml": "ci", "docker.yaml": "docker", "python.yaml": "python", "secrets.yaml": "secrets", "web.yaml": "javascript"}  # fmt: skip


def ids(text: str) -> list[str]:
    return re.findall(r"^  - id: (\S+)$", text, re.MULTILINE)


def rule_texts() -> list[tuple[str, str]]:
    """(id, text) of every rule."""
    texts = [part for text in semgrep.rules().values() for part in re.split(r"^  - id: ", text, flags=re.MULTILINE)[1:]]
    return [(text.split("\n", 1)[0], text) for text in texts]


def test_there_are_at_least_sixty_rules_and_no_name_twice():
    names = [name for name, _ in rule_texts()]
    assert len(names) >= 60
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "text"), rule_texts(), ids=[name for name, _ in rule_texts()])
def test_a_rule_says_how_bad_why_and_what_to_do(name: str, text: str):
    assert re.search(r"^    severity: (ERROR|WARNING|INFO)$", text, re.MULTILINE)
    assert re.search(r"^    metadata: \{cwe: CWE-\d+\}$", text, re.MULTILINE)
    message = re.search(r"^    message: (.+)$", text, re.MULTILINE)
    assert message is not None
    assert message[1].count(".") >= 2, "one sentence says what is wrong, another what to do"


@pytest.mark.parametrize("file", sorted(semgrep.rules()))
def test_every_rule_has_a_case_for_and_one_against(file: str):
    cases = tomllib.loads((GOLDEN / f"{KINDS[file]}.toml").read_text())["case"]
    assert [case["rule"] for case in cases] == ids(semgrep.rules()[file])
    assert all(case["bad"] and case["good"] and case["bad"] != case["good"] for case in cases)
