"""A Changeset written to the client's machine: what is replaced, removed and kept, by the unmodified client.

What is expected is what `Changeset.Export` of dagger/dagger v0.21.8 (core/changeset.go) and its client
(engine/filesync) do: the difference is written over what is there, and the removed paths are removed.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import Client, Connect

if TYPE_CHECKING:
    import dagger

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(300)]


def exported(client: Client, target: Path, before: dict[str, str], after: dict[str, str]) -> None:
    """Write the change from the one set of files to the other, over a directory that has the first."""
    for name, text in before.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text)

    async def work(dag: dagger.Client) -> object:
        sides = []
        for files in (before, after):
            side = dag.directory()
            for name, text in files.items():
                side = side.with_new_file(name, text)
            sides.append(side)
        return await sides[1].changes(sides[0]).export(str(target))

    assert client(work) == str(target)


def tree(target: Path) -> dict[str, str]:
    return {str(path.relative_to(target)): path.read_text() for path in sorted(target.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": "1", "b": "b"}, {"a": "2", "b": "b"}),
        ({"a": "1"}, {"d/a": "1"}),
        ({"d/a": "1", "d/e/b": "1"}, {"k": "k"}),
        ({"d/a": "1", "d/e/b": "1"}, {"d": "now a file"}),
        ({"d": "a file"}, {"d/a": "1", "d/e/b": "1"}),
    ],
    ids=["modified", "moved", "a directory is removed", "a directory becomes a file", "a file becomes a directory"],
)
def test_a_change_leaves_what_it_was_made_to(
    client: Client, tmp_path: Path, before: dict[str, str], after: dict[str, str]
):
    exported(client, tmp_path, before, after)
    assert tree(tmp_path) == after


def test_files_that_a_change_does_not_name_stay(client: Client, tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    exported(client, tmp_path, {"a": "1", "gone": "1"}, {"a": "2"})
    assert tree(tmp_path) == {"a": "2", "mine": "mine"}


def test_modes_and_links_are_written_as_they_are(client: Client, tmp_path: Path):
    async def work(dag: dagger.Client) -> object:
        before = dag.directory().with_new_file("run", "1", permissions=0o644)
        after = dag.directory().with_new_file("run", "1", permissions=0o755).with_symlink("run", "link")
        changes = after.changes(before)
        await changes.export(str(tmp_path))
        return [await changes.modified_paths(), await changes.added_paths()]

    assert client(work) == [["run"], ["link"]]
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755
    assert (tmp_path / "link").readlink() == Path("run")


def test_a_removed_path_behind_a_link_is_not_followed_out_of_the_directory(client: Client, tmp_path: Path):
    outside, target = tmp_path / "outside", tmp_path / "target"
    for folder in (outside, target):
        folder.mkdir()
    (outside / "a").write_text("precious")
    (target / "d").symlink_to(outside)

    async def work(dag: dagger.Client) -> object:
        before = dag.directory().with_new_file("d/a", "precious").with_new_file("d/b", "b")
        return await before.without_file("d/a").with_new_file("d/b", "c").changes(before).export(str(target))

    client(work)
    assert (outside / "a").read_text() == "precious"
    assert [path.name for path in outside.iterdir()] == ["a"]


# What `dagger` 0.21.8 sends before it asks "Apply changes?" (dagql/idtui/patch.go).
PREVIEW = """
query PreviewPatch($changeset: ID!) {
	changeset: node(id: $changeset) {
		... on Changeset { diffStats { path oldPath kind addedLines removedLines } }
	}
}
"""


def test_daggers_command_line_previews_a_change(connect: Connect):
    change = f'withNewFile(path:"d/a",contents:"1\\n2\\n"){{changes(from:{_empty(connect)}){{id:sync}}}}'
    made = connect().ask(f"{{directory{{{change}}}}}")
    changeset = made["data"]["directory"]["withNewFile"]["changes"]["id"]
    raw = connect()
    raw.send_bytes(json.dumps({"query": PREVIEW, "variables": {"changeset": changeset}}).encode())
    assert raw.answer()["data"]["changeset"]["diffStats"] == [
        {"path": "d/", "oldPath": None, "kind": "ADDED", "addedLines": 0, "removedLines": 0},
        {"path": "d/a", "oldPath": None, "kind": "ADDED", "addedLines": 2, "removedLines": 0},
    ]


def _empty(connect: Connect) -> str:
    return json.dumps(connect().ask("{directory{id}}")["data"]["directory"]["id"])
