"""Container: variables in paths and arguments, who owns what is put in, and which exit codes are errors."""

from __future__ import annotations

from collections.abc import Callable

import dagger

from .table import FAILS, Cases, Fails, base, each, files, sh, there

CASES = case = Cases("expand", "core/integration/container_test.go")
X = "contents in foo file"


def foo(d: dagger.Client) -> dagger.Container:
    return base(d).with_workdir("/w").with_env_variable("foo", "bar")


def one(d: dagger.Client) -> dagger.File:
    return files(d, f=X).file("f")


def there_already(d: dagger.Client) -> dagger.Container:
    return foo(d).with_directory("/p/bar", files(d, f=X))


_PATHS: tuple[tuple[str, Callable[[dagger.Client], dagger.File]], ...] = (
    ("withNewFile", lambda d: foo(d).with_new_file("${foo}.txt", X, expand=True).file("bar.txt")),
    ("withFile", lambda d: foo(d).with_file("${foo}.txt", one(d), expand=True).file("bar.txt")),
    ("withDirectory", lambda d: foo(d).with_directory("/p/${foo}", files(d, f=X), expand=True).file("/p/bar/f")),
    ("directory", lambda d: there_already(d).directory("/p/${foo}", expand=True).file("f")),
    ("file", lambda d: there_already(d).file("/p/${foo}/f", expand=True)),
    (
        "withMountedDirectory",
        lambda d: foo(d).with_mounted_directory("/p/${foo}", files(d, f=X), expand=True).file("/p/bar/f"),
    ),
    ("withMountedFile", lambda d: foo(d).with_mounted_file("/p/${foo}/f", one(d), expand=True).file("/p/bar/f")),
    (
        "withSymlink",
        lambda d: foo(d).with_new_file("bar.txt", X).with_symlink("${foo}.txt", "${foo}-l", expand=True).file("bar-l"),
    ),
    (
        "redirectStdin",
        lambda d: (
            foo(d)
            .with_new_file("bar", X)
            .with_exec(["cat"], expand=True, redirect_stdin="${foo}", redirect_stdout="${foo}.out")
            .file("bar.out")
        ),
    ),
)
for _name, _file in _PATHS:
    case("TestEnvExpand", _name, lambda d, file=_file: file(d).contents(), X)  # type: ignore[misc]

_GONE: tuple[tuple[str, Callable[[dagger.Client], dagger.Container]], ...] = (
    ("withoutDirectory", lambda d: there_already(d).without_directory("/p/${foo}", expand=True)),
    ("withoutFile", lambda d: there_already(d).without_file("/p/${foo}/f", expand=True)),
    ("withoutFiles", lambda d: there_already(d).without_files(["/p/${foo}/f"], expand=True)),
    (
        "withoutMount",
        lambda d: foo(d).with_mounted_directory("/p/bar", files(d, f=X)).without_mount("/p/${foo}", expand=True),
    ),
)
for _name, _container in _GONE:
    case("TestEnvExpand", _name, lambda d, c=_container: sh(c(d), "cat /p/bar/f 2>/dev/null || echo gone"), "gone\n")  # type: ignore[misc]

case(
    "TestEnvExpand", "an argument", lambda d: foo(d).with_exec(["echo", "/a/${foo}"], expand=True).stdout(), "/a/bar\n"
)
case(
    "TestEnvExpand",
    "withMountedSecret",
    lambda d: sh(foo(d).with_mounted_secret("/${foo}.s", d.set_secret("s", "12345678"), expand=True), "wc -c < /bar.s"),
    "8\n",
)
case(
    "TestEnvExpand",
    "no secret variable",
    lambda d: (
        base(d).with_secret_variable("T", d.set_secret("t", "12345678")).with_exec(["echo", "${T}"], expand=True).sync()
    ),
    FAILS,
)
case(
    "TestEnvExpand",
    "exists",
    lambda d: each(*(foo(d).with_new_file("/bar", "").exists(path, expand=True) for path in ("/${foo}", "/${foo}-no"))),
    [True, False],
)

# ---- links in a container

LINKS = Cases("container's links", "core/integration/container_test.go")
case = LINKS


def linked(d: dagger.Client) -> dagger.Container:
    return base(d).with_workdir("/test").with_new_file("f", "data").with_symlink("f", "my")


case("TestSymlink", "is a link", lambda d: sh(linked(d), "readlink /test/my"), "f\n")
case("TestSymlink", "is followed", lambda d: linked(d).file("my").contents(), "data")
case(
    "TestSymlink",
    "to the root",
    lambda d: base(d).with_new_file("/f", "data").with_symlink("/", "/sub/my").file("/sub/my/f").contents(),
    "data",
)
case(
    "TestSymlink",
    "to a directory above the working directory",
    lambda d: (
        base(d)
        .with_new_file("/other/sub/f", "data")
        .with_workdir("/test")
        .with_symlink("../other/sub/", "my")
        .file("/test/my/f")
        .contents()
    ),
    "data",
)
case(
    "TestSymlink",
    "in a mount",
    lambda d: (
        base(d)
        .with_mounted_directory("/mnt", files(d, f="data"))
        .with_symlink("f", "/mnt/my")
        .file("/mnt/my")
        .contents()
    ),
    "data",
)
case(
    "TestSymlink",
    "in a mount, relative to the working directory",
    lambda d: (
        base(d)
        .with_mounted_directory("/mnt", d.directory().with_new_file("sub/x/f", "data"))
        .with_workdir("/mnt/sub")
        .with_symlink("f", "x/my")
        .file("/mnt/sub/x/my")
        .contents()
    ),
    "data",
)
case(
    "TestSymlink",
    "never above the root",
    lambda d: (
        base(d).with_new_file("/s", "data").with_symlink("s", "../../../../../in-root").file("/in-root").contents()
    ),
    "data",
)
case(
    "TestSymlink",
    "to above the root is to the root",
    lambda d: (
        base(d).with_symlink("../../../../..", "/escape").with_new_file("/escape/s", "data").file("/s").contents()
    ),
    "data",
)
case(
    "TestSymlink",
    "through a link",
    lambda d: (
        base(d).with_symlink("/root", "/escape").with_symlink("_", "/escape/foo/bar").directory("/root/foo").entries()
    ),
    ["bar"],
)
case("TestSymlink", "in an empty container", lambda d: there(d.container().with_symlink("any", "link").sync()), True)

# ---- owners

OWNERS = Cases("owner", "core/integration/ownership_test.go")
case = OWNERS
_USERS = "useradd -m inherituser && useradd -u 1234 auser && groupadd -g 4321 agroup"


def with_users(d: dagger.Client) -> dagger.Container:
    return base(d).with_exec(["sh", "-c", _USERS]).with_user("inherituser").with_workdir("/data")


def message(d: dagger.Client) -> dagger.Directory:
    return d.directory().with_new_file("message.txt", "hello world", permissions=0o600)


_KINDS: tuple[tuple[str, Callable[[dagger.Client, dagger.Container, str], dagger.Container]], ...] = (
    ("withNewFile", lambda _, c, owner: c.with_new_file("x", "", owner=owner)),
    ("withFile", lambda d, c, owner: c.with_file("x", message(d).file("message.txt"), owner=owner)),
    ("withDirectory", lambda d, c, owner: c.with_directory("x", message(d), owner=owner)),
    ("withMountedFile", lambda d, c, owner: c.with_mounted_file("x", message(d).file("message.txt"), owner=owner)),
    ("withMountedDirectory", lambda d, c, owner: c.with_mounted_directory("x", message(d), owner=owner)),
    ("withMountedSecret", lambda d, c, owner: c.with_mounted_secret("x", d.set_secret("o", "hunter2"), owner=owner)),
    (
        "withMountedCache",
        lambda d, c, owner: c.with_mounted_cache("x", d.cache_volume("contract-owner"), owner=owner),
    ),
)
for _kind, _add in _KINDS:
    for _owner, _seen in (
        ("1234", "auser auser"),
        ("1234:1234", "auser auser"),
        ("auser", "auser auser"),
        ("auser:auser", "auser auser"),
        ("1234:4321", "auser agroup"),
        ("auser:4321", "auser agroup"),
        ("1234:agroup", "auser agroup"),
        ("auser:agroup", "auser agroup"),
        ("", "root root"),
    ):
        case(
            f"testOwnership, container_test.go Test{_kind[0].upper()}{_kind[1:]}Owner",
            f"{_kind} for {_owner or 'nobody named'}",
            lambda d, add=_add, owner=_owner: sh(  # type: ignore[misc]
                add(d, with_users(d), owner).with_user("root"), "find x | xargs stat -c '%U %G' | sort -u"
            ),
            f"{_seen}\n",
        )

# ---- exit codes, what a command's failure says

CODES = Cases("exit code", "core/integration/container_test.go")
case = CODES
ANY, SUCCESS, FAILURE = dagger.ReturnType.ANY, dagger.ReturnType.SUCCESS, dagger.ReturnType.FAILURE
for _expect, _code, _answer in (
    (ANY, 0, 0),
    (ANY, 1, 1),
    (ANY, 254, 254),
    (SUCCESS, 0, 0),
    (SUCCESS, 1, Fails(1)),
    (SUCCESS, 254, Fails(254)),
    (FAILURE, 0, Fails(0)),
    (FAILURE, 1, 1),
    (FAILURE, 254, 254),
):
    case(
        "TestExecExpect, returncodes_test.go TestLargeExitCode",
        f"{_code} where {_expect.value} is expected",
        lambda d, e=_expect, c=_code: base(d).with_exec(["sh", "-c", f"exit {c}"], expect=e).exit_code(),  # type: ignore[misc]
        _answer,
    )


async def failed(step: dagger.Container) -> object:
    try:
        await step.sync()
    except dagger.ExecError as error:
        return [error.exit_code, error.stdout, error.stderr]
    return None


_SAYS = ["sh", "-c", "echo OUT; echo ERR >&2; exit 1"]
case("TestExecError", "streams are in the error", lambda d: failed(base(d).with_exec(_SAYS)), [1, "OUT", "ERR"])
case(
    "TestExecError",
    "redirected streams, too",
    lambda d: failed(base(d).with_exec(_SAYS, redirect_stdout="/out", redirect_stderr="/err")),
    [1, "OUT", "ERR"],
)
case("TestExecInit", "a step has an init", lambda d: sh(base(d), "test $$ -ne 1 && echo child"), "child\n")
case(
    "TestExecInit",
    "a step without an init",
    lambda d: base(d).with_exec(["sh", "-c", "echo $$"], no_init=True).stdout(),
    "1\n",
)
case(
    "TestEmptyExecDiff",
    "a step that writes nothing",
    lambda d: base(d).rootfs().diff(base(d).with_exec(["true"]).rootfs()).entries(),
    [],
)
case("TestImageRef", "no reference after a step", lambda d: base(d).with_exec(["true"]).image_ref(), FAILS)
case(
    "TestImageRef",
    "no reference after a directory",
    lambda d: base(d).with_directory("x", files(d, "f")).image_ref(),
    FAILS,
)


def merged(d: dagger.Client) -> dagger.Container:
    before = d.container().with_env_variable("FOO", "BAR").with_env_variable("PATH", "/replace/me")
    return before.with_label("com.example.kept", "yes").with_exposed_port(5000).from_("debian:bookworm-slim")


async def ports(container: dagger.Container) -> object:
    return [await port.port() for port in await container.exposed_ports()]


case("TestFromMergesWithParent", "a variable from before an image", lambda d: merged(d).env_variable("FOO"), "BAR")
case("TestFromMergesWithParent", "an image's variable", lambda d: there_path(merged(d)), True)
case("TestFromMergesWithParent", "a label from before an image", lambda d: merged(d).label("com.example.kept"), "yes")
case("TestFromMergesWithParent", "a port from before an image", lambda d: ports(merged(d)), [5000])


async def there_path(container: dagger.Container) -> bool:
    return await container.env_variable("PATH") != "/replace/me"


case(
    "TestWithMountedSecretMode",
    "a secret's mode",
    lambda d: sh(
        base(d).with_mounted_secret("/s", d.set_secret("m", "secret"), mode=0o666, owner="root:root"), "stat -c %A /s"
    ),
    "-rw-rw-rw-\n",
)
