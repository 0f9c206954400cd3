"""What the store thinks a stack of layers shows, against what the kernel's overlayfs shows of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import Tree

pytestmark = pytest.mark.needs("root")

LOOK = """
import json, os, stat, subprocess, sys
for line in sys.stdin:
    home, place, lowers, upper, work, script = json.loads(line)
    os.chdir(home)
    options = "userxattr,index=off,metacopy=off,lowerdir=" + ":".join(lowers)
    if upper:
        options += f",upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, place], check=True)
    if script:
        subprocess.run(["sh", "-ec", script], cwd=place, check=True)
    found = {}
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            what = [stat.filemode(facts.st_mode), facts.st_uid, facts.st_gid]
            if stat.S_ISREG(facts.st_mode):
                what.append(open(path).read())
            elif stat.S_ISLNK(facts.st_mode):
                what.append(os.readlink(path))
            found[path[len(place):]] = what
    subprocess.run(["umount", place], check=True)
    print(json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def looker():
    """A process in a mount namespace of its own: what it mounts goes with it."""
    with subprocess.Popen(
        ["unshare", "--mount", sys.executable, "-I", "-c", LOOK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "home", ROOT_RANGE) as opened:
        yield opened


@pytest.fixture
def kernel(store, tmp_path, looker):
    """kernel(tree, staging, script): everything that a real mount of the tree shows, after running a script in it."""

    def look(tree, staging=None, script=""):
        place, empty, empty_too = (tmp_path / name for name in ("mnt", "empty", "empty-too"))
        for each in (place, empty, empty_too):
            each.mkdir(exist_ok=True)
        # Without an upper directory the kernel wants two lower ones.
        lowers = [
            *(f"l/{layer}" for layer in reversed(tree.layers)),
            str(empty),
            *([] if tree.layers else [str(empty_too)]),
        ]
        paths = [str(staging.fs), str(staging.work)] if staging else ["", ""]
        looker.stdin.write(json.dumps([str(store.home), str(place), lowers, *paths, script]) + "\n")
        looker.stdin.flush()
        answer = looker.stdout.readline()
        assert answer, "the kernel refused: see stderr"
        return json.loads(answer)

    return look


@pytest.fixture
def ours(store):
    """ours(tree): the same, as a TreeView has it."""

    def look(tree):
        view = store.view(tree)
        found = {}
        for path, entry in view.walk():
            kind = {"file": "-", "dir": "d", "symlink": "l", "fifo": "p"}[entry.kind]
            mode = "".join(letter if entry.mode >> (8 - bit) & 1 else "-" for bit, letter in enumerate("rwxrwxrwx"))
            found[path] = [kind + mode, ROOT_RANGE.outer(entry.uid), ROOT_RANGE.outer(entry.gid)]
            if entry.kind == "file":
                found[path].append(view.read(path).decode())
            elif entry.kind == "symlink":
                found[path].append(view.readlink(path))
        return found

    return look


BASE = [
    ("write", "a", b"1"),
    ("write", "d/x", b"1"),
    ("write", "d/y", b"1"),
    ("write", "d/sub/z", b"1"),
    ("symlink", "d", "link"),
    ("mkdir", "empty", 0o700),
]

EDITS = {
    "nothing": [],
    "write new": [("write", "n", b"2")],
    "write over": [("write", "a", b"2")],
    "write into a directory": [("write", "d/n", b"2")],
    "write through a link": [("write", "link/n", b"2")],
    "write over with a mode": [("write", "m", b"2", 0o600)],
    "remove a file": [("remove", "a")],
    "remove in a directory": [("remove", "d/x")],
    "remove a directory": [("remove", "d")],
    "remove a link": [("remove", "link")],
    "remove everything": [("remove", "/")],
    "remove and write": [("remove", "a"), ("write", "a", b"2")],
    "remove a directory, make it anew": [("remove", "d"), ("mkdir", "d")],
    "remove a directory, fill it anew": [("remove", "d"), ("write", "d/sub/n", b"2")],
    "remove a subdirectory, fill it anew": [("remove", "d/sub"), ("write", "d/sub/n", b"2")],
    "a file becomes a directory": [("remove", "a"), ("write", "a/x", b"2")],
    "a directory becomes a file": [("remove", "d"), ("write", "d", b"2")],
    "a directory becomes a link": [("remove", "d"), ("symlink", "empty", "d")],
    "a link becomes a directory": [("remove", "link"), ("write", "link/x", b"2")],
    "made and removed": [("write", "n/x", b"2"), ("remove", "n")],
    "made, removed, made": [("write", "n/x", b"2"), ("remove", "n"), ("write", "n/y", b"2")],
    "removed twice": [("remove", "d"), ("write", "d/x", b"2"), ("remove", "d")],
    "an owner for everything": [("chown", "/", 5, 6)],
    "an owner for a directory": [("chown", "d", 5, 6)],
    "times": [("utime", "/", 1)],
    "owner then removal": [("chown", "d", 5, 6), ("remove", "d/x")],
    "deep": [("write", "p/q/r/s/t", b"2"), ("remove", "p/q/r"), ("write", "p/q/r", b"2")],
    "modes": [("mkdir", "k/l", 0o711), ("write", "k/l/m", b"2", 0o755)],
}


def edited(store, base, operations):
    with store.edit(base) as edit:
        for name, *arguments in operations:
            getattr(edit, name)(*arguments)
    return edit.tree


def possible(view, step):
    """Whether an edit isn't an error: nothing goes into a file, and what isn't there has no owner."""
    d = view.lstat("d")
    if step[0] == "chown":
        return view.stat(step[1]) is not None
    return d is None or d.kind == "dir" or not step[1].startswith(("d/", "link/"))


@pytest.mark.parametrize("first", ["nothing", "remove a directory", "a directory becomes a file", "write over"])
@pytest.mark.parametrize("second", EDITS)
def test_edits(store, kernel, ours, first, second):
    tree = edited(store, Tree(), BASE)
    tree = edited(store, tree, EDITS[first])
    steps = [step for step in EDITS[second] if possible(store.view(tree), step)]
    tree = edited(store, tree, steps)
    assert ours(tree) == kernel(tree)


@pytest.mark.parametrize("base", ["nothing", "write new", "a directory becomes a link", "a directory becomes a file"])
@pytest.mark.parametrize("source", EDITS)
@pytest.mark.parametrize("dest", ["/", "/d", "/new/place"])
def test_copies(store, kernel, ours, base, source, dest):
    of = edited(store, edited(store, Tree(), BASE), EDITS[source])
    onto = edited(store, edited(store, Tree(), BASE), EDITS[base])
    with store.edit(onto) as edit:
        edit.copy(store.view(of), "/", dest, uid=7, gid=8)
    assert ours(edit.tree) == kernel(edit.tree)


SCRIPTS = {
    "write": "echo 2 > a; echo 2 > n; mkdir -p k/l; echo 2 > k/l/m",
    "remove": "rm a; rm -r d",
    "remove and make anew": "rm -r d; mkdir d; echo 2 > d/n",
    "rename a file": "mv a b; mv d/x .",
    "rename a directory": "mv d e",
    "rename over": "echo 2 > n; mv n a",
    "swap kinds": "rm a; mkdir a; echo 2 > a/x; rm -r d; echo 2 > d",
    "metadata": "chmod 700 d; chmod 600 a; chown 1879048197 d/x; touch -d @5 d/y",
    "links": "ln a hard; ln -s a soft; rm link; mkdir link",
    "fifo": "mkfifo p",
    "append": "echo 2 >> d/x",
    "many turns": "for i in 1 2 3; do rm -rf d; mkdir d; echo $i > d/$i; done; rmdir empty",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_changes_of_a_step(store, kernel, ours, script):
    """The kernel writes the layer; committed, the tree shows what the step saw last."""
    base = edited(store, Tree(), BASE)
    staging = store.staging(store.view(base))
    seen = kernel(base, staging, SCRIPTS[script])
    # Without a user namespace root made these; a step's root has another id.
    for each in staging.fs.rglob("*"):
        if each.lstat().st_uid == 0 and not each.is_char_device():
            os.chown(each, ROOT_RANGE.base, ROOT_RANGE.base, follow_symlinks=False)
    tree = base.on(store.commit(staging))
    shifted = {
        path: [what[0], *(owner or ROOT_RANGE.base for owner in what[1:3]), *what[3:]] for path, what in seen.items()
    }
    assert ours(tree) == shifted == kernel(tree)


def test_subtrees_mount_as_they_look(store, kernel, ours):
    tree = edited(store, Tree(), BASE)
    tree = edited(store, tree, EDITS["remove a subdirectory, fill it anew"])
    tree = edited(store, tree, [("write", "d/x", b"3")])
    lowers = store.view(tree).subtree("d")
    part = Tree(tuple(lower.removeprefix("l/") for lower in lowers))
    below = {path.removeprefix("/d"): what for path, what in ours(tree).items() if path.startswith("/d/")}
    assert kernel(part) == below == ours(part)


def test_a_deep_stack(store, kernel, ours):
    """128 layers, as containerd's snapshotters are tested with; flattened they look the same."""
    tree = Tree()
    for number in range(128):
        tree = edited(store, tree, [("write", f"f{number % 10}", b"%d" % number), ("write", "d/last", b"%d" % number)])
    flat = store.flatten(tree)
    assert ours(tree) == ours(flat) == kernel(flat)
    assert Path(store.layer_path(flat.layers[0])).is_dir()
