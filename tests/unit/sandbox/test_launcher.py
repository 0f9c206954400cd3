"""The launcher's parts that need no sandbox."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sealane_engine
from sealane_engine.errors import InvalidInput
from sealane_engine.sandbox import open_backend
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.sandbox.launcher import cgroups, command, init
from sealane_engine.sandbox.launcher.targets import Root

PACKAGE = Path(sealane_engine.__file__).parent


def test_exit_codes_of_wait_statuses():
    assert init.exit_code(0) == 0
    assert init.exit_code(7 << 8) == 7
    assert init.exit_code(9) == 137


def test_commands_are_looked_up_as_go_does(tmp_path, monkeypatch):
    for name, mode in (("a/tool", 0o644), ("b/tool", 0o755), ("tool", 0o755)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        path.chmod(mode)
    (tmp_path / "c/tool").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    search = ":".join(str(tmp_path / name) for name in "abc").encode()
    assert command._look_up(b"tool", search) == str(tmp_path / "b/tool").encode()
    assert command._look_up(b"tool", b"/absent:") == b"./tool"
    assert command._look_up(b"tool", b"") is None
    assert command._look_up(b"none", search) is None


def test_groups_are_found_where_this_process_is(tmp_path, monkeypatch):
    files = {
        "/proc/self/cgroup": "9:pids:/outer/mine\n4:memory:/\n0::/unified\n",
        "/proc/self/mountinfo": (
            f"30 20 0:26 /outer {tmp_path}/pids rw - cgroup cgroup rw,pids\n"
            f"31 20 0:27 / {tmp_path}/memory rw - cgroup cgroup rw,memory\n"
            f"32 20 0:28 / {tmp_path}/v2 rw - cgroup2 cgroup2 rw\n"
            f"33 20 0:29 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu\n"
        ),
        f"{tmp_path}/v2/unified/cgroup.controllers": "cpu hugetlb\n",
    }
    monkeypatch.setattr(cgroups, "_read", lambda path: files.get(path, ""))
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert cgroups.find() == [
        cgroups.Hierarchy(f"{tmp_path}/pids/mine", frozenset({"pids"}), unified=False),
        cgroups.Hierarchy(f"{tmp_path}/memory", frozenset({"memory"}), unified=False),
    ]
    files[f"{tmp_path}/v2/unified/cgroup.controllers"] = "memory pids\n"
    unified = cgroups.find()[2]
    assert unified == cgroups.Hierarchy(f"{tmp_path}/v2/unified", frozenset({"pids", "memory"}), unified=True)


def test_a_process_is_named_by_its_start_time():
    assert cgroups.start_time(os.getpid()).isdigit()
    assert cgroups.start_time(2**22 + 1) == ""


class TestRoot:
    """Targets are made in the root, whatever links say."""

    @pytest.fixture
    def root(self, tmp_path):
        (tmp_path / "root").mkdir()
        (tmp_path / "outside").mkdir()
        fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
        yield Root(fd)
        os.close(fd)

    def make(self, root, path, *, directory=True):
        os.close(root.ensure(os.fsencode(path), directory=directory))

    def test_missing_parts_are_made_and_told_deepest_first(self, root, tmp_path):
        self.make(root, "/a/b/c", directory=False)
        assert (tmp_path / "root/a/b/c").is_file()
        assert root.stubs == ["a/b/c", "a/b", "a"]
        self.make(root, "/a/b/d")
        assert root.stubs[0] == "a/b/d"

    @pytest.mark.parametrize("link", ["/absent/x", "../../../absent/x", "absent/x", "./y/../absent/x"])
    def test_dangling_links_are_followed_inside(self, root, tmp_path, link):
        (tmp_path / "root/link").symlink_to(link)
        self.make(root, "/link/file", directory=False)
        assert (tmp_path / "root/absent/x/file").is_file()

    def test_links_and_dots_never_leave(self, root, tmp_path):
        (tmp_path / "root/abs").symlink_to(tmp_path / "outside")
        (tmp_path / "root/up").symlink_to("../outside")
        for path in ("/abs/x", "/up/x", "/../outside/x", "/abs/../../../outside/x"):
            self.make(root, path)
        assert list((tmp_path / "outside").iterdir()) == []

    def test_loops_end(self, root, tmp_path):
        (tmp_path / "root/a").symlink_to("b/x")
        (tmp_path / "root/b").symlink_to("a/x")
        with pytest.raises(OSError, match="Too many levels"):
            self.make(root, "/a")

    def test_nothing_is_made_below_a_file(self, root, tmp_path):
        (tmp_path / "root/file").write_text("")
        with pytest.raises(NotADirectoryError):
            self.make(root, "/file/x")


def test_unknown_backends_are_refused(tmp_path):
    with pytest.raises(InvalidInput) as error:
        open_backend("docker", home=tmp_path, ids=ROOT_RANGE)
    assert error.value.reason == "unknown-backend"


def test_launcher_imports_little():
    """Its start and each of its clones cost what it has in memory."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sealane_engine.sandbox.launcher.server;"
        "print(*sorted(name for name in sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(PACKAGE.parent)], capture_output=True, text=True, check=True
    )
    modules = set(ran.stdout.split())
    assert not modules & {"asyncio", "dataclasses", "inspect", "json", "logging", "pathlib", "subprocess", "threading"}
    ours = {name for name in modules if name.startswith("sealane_engine.")}
    assert {name.split(".")[1] for name in ours} == {"linux", "sandbox"}


def test_system_calls_know_nothing_of_us():
    for path in (PACKAGE / "linux").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sealane"):
                assert (node.module + ".").startswith("sealane_engine.linux."), path
