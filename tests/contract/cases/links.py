"""Directory: symbolic links and patches."""

from __future__ import annotations

from .table import FAILS, Cases, base, each, files, sh, there

CASES = case = Cases("directory", "core/integration/directory_test.go")

# ---- links

case("TestSymlink", "a link is followed", lambda d: files(d, f="x").with_symlink("f", "l").file("l").contents(), "x")
case(
    "TestSymlink",
    "a link stays a link",
    lambda d: sh(base(d).with_directory("/t", files(d, f="x").with_symlink("f", "l")), "readlink /t/l"),
    "f\n",
)
case(
    "TestSymlink",
    "a link's target may change",
    lambda d: files(d, f="x").with_symlink("f", "l").with_new_file("f", "y").file("l").contents(),
    "y",
)
case("TestSymlink", "an absolute link", lambda d: files(d, f="x").with_symlink("/f", "/l").file("l").contents(), "x")
case(
    "TestSymlink",
    "an absolute link in a part",
    lambda d: (
        files(d, f="other").with_directory("/sub", files(d, f="x").with_symlink("/f", "/l")).file("sub/l").contents()
    ),
    "other",
)
case(
    "TestSymlink",
    "a link makes its parents",
    lambda d: files(d, f="x").with_symlink("../../f", "/a/b/l").file("/a/b/l").contents(),
    "x",
)
case(
    "TestSymlink",
    "a link in a linked directory",
    lambda d: (
        d.directory()
        .with_new_directory("d1")
        .with_symlink("d1", "d2")
        .with_symlink("f", "d2/l")
        .without_file("d2")
        .with_new_file("d1/f", "x")
        .file("/d1/l")
        .contents()
    ),
    "x",
)
case(
    "TestSymlink",
    "a link through a container's link",
    lambda d: (
        base(d)
        .with_directory("/t", d.directory().with_symlink("../root", "r"))
        .with_new_file("/t/r/f", "x")
        .file("/root/f")
        .contents()
    ),
    "x",
)
case(
    "TestSymlink",
    "no link over a link",
    lambda d: d.directory().with_symlink("a", "l").with_symlink("b", "l").sync(),
    FAILS,
)

# ---- patches

_HELLO = "--- a/h\n+++ b/h\n@@ -1 +1 @@\n-Hello, World!\n+Hello, Dagger!\n"
_NEW = "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n"
_GONE = "--- a/h\n+++ /dev/null\n@@ -1 +0,0 @@\n-Hello, World!\n"
case(
    "TestPatch",
    "a change",
    lambda d: files(d, h="Hello, World!\n").with_patch(_HELLO).file("h").contents(),
    "Hello, Dagger!\n",
)
case(
    "TestPatch",
    "a change in a part",
    lambda d: (
        d.directory().with_new_file("s/h", "Hello, World!\n").directory("s").with_patch(_HELLO).file("h").contents()
    ),
    "Hello, Dagger!\n",
)
case("TestPatch", "a new file by patch", lambda d: d.directory().with_patch(_NEW).file("n").contents(), "new\n")
case(
    "TestPatch",
    "a file gone by patch",
    lambda d: files(d, h="Hello, World!\n", k="").with_patch(_GONE).entries(),
    ["k"],
)
case(
    "TestPatch",
    "two files in a patch",
    lambda d: each(
        *(files(d, h="Hello, World!\n").with_patch(_HELLO + _NEW).file(name).contents() for name in ("h", "n"))
    ),
    ["Hello, Dagger!\n", "new\n"],
)
case("TestPatch", "an empty patch", lambda d: there(files(d, "f").with_patch("").sync()), True)
case("TestPatch", "a patch that doesn't fit", lambda d: files(d, h="Bye\n").with_patch(_HELLO).sync(), FAILS)

_RENAME = "diff --git a/h b/sub/k\nsimilarity index 100%\nrename from h\nrename to sub/k\n"
_MODE = "diff --git a/h b/h\nold mode 100644\nnew mode 100755\n"
_LINK = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+h\n\\ No newline at end of file\n"
case(
    "TestPatch (git apply)",
    "a rename by patch",
    lambda d: files(d, h="Hello\n").with_patch(_RENAME).glob("**/*"),
    ["sub/", "sub/k"],
)
case(
    "TestPatch (git apply)",
    "another mode by patch",
    lambda d: files(d, h="Hello\n").with_patch(_MODE).stat("h").permissions(),
    0o755,
)
case(
    "TestPatch (git apply)",
    "a link by patch",
    lambda d: files(d, h="Hello\n").with_patch(_LINK).file("l").contents(),
    "Hello\n",
)
case(
    "TestPatch (git apply)",
    "a directory goes with its last file",
    lambda d: (
        d.directory().with_new_file("s/t/h", "Hello, World!\n").with_patch(_GONE.replace("a/h", "a/s/t/h")).entries()
    ),
    [],
)
case(
    "TestPatch (git apply)",
    "no patch through a link",
    lambda d: (
        d.directory()
        .with_new_file("real/h", "Hello, World!\n")
        .with_symlink("real", "s")
        .with_patch(_HELLO.replace("a/h", "a/s/h").replace("b/h", "b/s/h"))
        .sync()
    ),
    FAILS,
)
