"""A Changeset that a call answered: what is said of it, and when it is applied to the working directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealane_cli_fake import core_object, function, list_type, object_type

from sealane.cli.changes import Screen, summary
from sealane.cli.conflicts import Stat

TYPES = [
    object_type(
        "Query",
        function("mend", "Changeset?"),
        function("all", "[Changeset!]"),
        function("lint", "DemoLint"),
        fields=None,
    ),
    object_type("DemoLint", function("fix", "Changeset"), function("summary", "String")),
    core_object("Changeset", function("sync", "Changeset", module="")),
    list_type("Changeset"),
]


class Change:
    """Answers for a changeset from the files `before` to the files `after`, and writes what is exported."""

    def __init__(self, before: dict[str, str], after: dict[str, str], *, answer: object = "cs") -> None:
        self.before, self.after, self.answer = before, after, answer
        self.exported: list[str] = []

    def stats(self):
        for path in sorted({*self.before, *self.after}):
            kind = "MODIFIED" if path in self.before and path in self.after else None
            kind = kind or ("ADDED" if path in self.after else "REMOVED")
            if self.before.get(path) != self.after.get(path):
                yield {"path": path, "oldPath": None, "kind": kind, "addedLines": 1, "removedLines": 0}

    def __call__(self, path):
        names = [name for name, _ in path]
        if names[-2:] in (["before", "id"], ["after", "id"]):
            return names[-2]
        if "withChangesets" in names:
            return "both"
        if names[-1] == "export":
            self.exported.append(path[-1][1]["path"])
            old, new = self.before, self.after
            if "layer" in names and path[0][1]["id"] == "before":
                old, new = new, old
            for name, text in new.items():
                if old.get(name) != text:
                    target = Path(path[-1][1]["path"], name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text)
            return path[-1][1]["path"]
        return {
            "sync": self.answer, "configExists": True, "serve": None, "entries": sorted(self.before),
        }.get(names[-1], "text")  # fmt: skip


@pytest.fixture
def changed(sealane, tmp_path, monkeypatch):
    """Call what answers the change, with `.` as it was before; the run, and whether `.` was written to."""

    def run(change, *words, here=None):
        for name, text in (change.before if here is None else here).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        stats = list(change.stats())

        def walk(self, selections, path):
            names = [node.name.value for node in selections.selections if hasattr(node, "name")]
            if "diffStats" in names:
                return {"diffStats": stats}
            return plain(self, selections, path)

        import sealane_cli_fake

        plain = sealane_cli_fake.FakeSession.walk
        with monkeypatch.context() as patch:
            patch.setattr(sealane_cli_fake.FakeSession, "walk", walk)
            ran = sealane(TYPES, change, "call", *(words or ("mend", "-y")))
        return ran, str(tmp_path) in change.exported

    return run


FORMATTED = Change({"a.py": "x=1\n"}, {"a.py": "x = 1\n"})


def test_changes_are_summed_up_and_applied_with_y(changed, tmp_path):
    ran, written = changed(Change({"a.py": "x=1\n", "b": "b"}, {"a.py": "x = 1\n", "b": "b", "c/d": "new"}))
    assert (ran.code, ran.out, written) == (0, "", True)
    assert ran.err == f'a.py +1\nc/d  +1\n\n2 files changed, +2 lines\nApplied to "{tmp_path}".\n'
    assert (tmp_path / "a.py").read_text() == "x = 1\n"


def test_without_y_and_without_a_terminal_nothing_is_applied_and_the_next_step_said(changed):
    ran, written = changed(FORMATTED, "mend")
    assert (ran.code, written) == (1, False)
    assert "a.py +1" in ran.err
    assert "Pass -y to apply them, or save them elsewhere with -o DIR." in ran.err


@pytest.mark.parametrize("change", [Change({"a": "a"}, {"a": "a"}), Change({}, {}, answer=None)])
def test_no_changes_are_nothing_to_do(changed, change):
    ran, written = changed(change, "mend")
    assert (ran.code, ran.err, written) == (0, "no changes to apply\n", False)


def test_changes_about_other_files_are_refused_with_the_directory_they_are_for(changed, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.setattr("os.getcwd", lambda: str(tmp_path / "sub"))
    ran, written = changed(FORMATTED)
    assert (ran.code, written) == (1, False)
    assert "are about files that are not in" in ran.err
    assert f"Run it in {tmp_path} (cd there" in ran.err


@pytest.mark.parametrize(
    ("change", "here", "said"),
    [
        (FORMATTED, {"a.py": "x=2\n"}, "a.py is not what the changes were made from"),
        (Change({"a": "1", "b": "1"}, {"a": "2", "b": "2"}), {"a": "1"}, "b is not there any more"),
        (Change({"a": "1"}, {}), {"a": "2"}, "a is not what the changes were made from"),
        (Change({"k": "k"}, {"k": "k", "a": "new"}), {"k": "k", "a": "mine"}, "a is there already, and not the same"),
        (Change({"k": "k"}, {"k": "k", "a/b": "new"}), {"k": "k", "a": "mine"}, "a/b leads through a"),
    ],
    ids=["modified", "gone", "removed", "added", "a file in the way"],
)
def test_what_was_changed_in_between_is_in_the_way_and_nothing_is_written(changed, tmp_path, change, here, said):
    ran, written = changed(change, here=here)
    assert (ran.code, written) == (1, False)
    assert said in ran.err
    assert {name: (tmp_path / name).read_text() for name in here} == here


def test_a_link_in_the_way_is_never_followed(changed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("1")
    (tmp_path / "d").symlink_to("out")
    ran, written = changed(Change({"d/a": "1"}, {"d/a": "2"}), here={})
    assert (ran.code, written) == (1, False)
    assert "d/a leads through d" in ran.err


def test_a_right_to_execute_that_was_given_in_between_is_not_lost(changed, tmp_path):
    (tmp_path / "a.py").touch(0o755)
    ran, written = changed(FORMATTED)
    assert (ran.code, written) == (1, False)


def test_changes_made_from_nothing_replace_what_is_there(changed, tmp_path):
    ran, written = changed(Change({}, {"a": "new"}), here={"a": "old"})
    assert (ran.code, written) == (0, True)
    assert (tmp_path / "a").read_text() == "new"


def test_lint_with_fix_is_short_for_lint_fix(changed):
    ran, written = changed(FORMATTED, "lint", "-y", "--fix")
    assert (ran.code, written) == (0, True), ran.err
    ran, _ = changed(FORMATTED, "lint", "--mend")
    assert (ran.code, "unknown flag: --mend" in ran.err) == (1, True)


def test_a_list_of_changesets_is_applied_together(changed):
    ran, written = changed(Change({"a": "1"}, {"a": "2"}, answer=["one", "two"]), "all", "-y")
    assert (ran.code, written) == (0, True), ran.err
    merged = next(path for path in ran.session.paths if path[0][0] == "changeset")
    assert merged[1] == ("withChangesets", {"changes": ["one", "two"]})


def test_removed_directories_stand_alone_with_all_their_lines():
    rows = [
        Stat("d/", "REMOVED"), Stat("d/e/", "REMOVED"), Stat("d/a", "REMOVED", 0, 2), Stat("d/e/b", "REMOVED", 0, 3),
        Stat("new", "RENAMED", 0, 0, "old"), Stat("x" * 90, "MODIFIED", 1, 1),
    ]  # fmt: skip
    said = summary(rows, Screen(colours=False, asks=False)).splitlines()
    assert said[0].split() == ["d/", "-5"]
    assert said[1].split() == ["old", "=>", "new"]
    assert len(said[2]) == 66
    assert said[-1] == "3 files changed, +1 -6 lines"
