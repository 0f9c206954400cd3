"""Container: its configuration, and the commands that run in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import FAILS, Cases, Fails, base, each, files, sh, there

if TYPE_CHECKING:
    import dagger

CASES = case = Cases("container", "core/integration/container_test.go")


async def pairs(found: object) -> object:
    return [[await one.name(), await one.value()] for one in await found]  # type: ignore[misc]


def echo(d: dagger.Client) -> dagger.Container:
    return base(d).with_entrypoint(["echo", "-n"])


# ---- where it begins

case("TestScratch", "an empty one's root is empty", lambda d: d.container().rootfs().entries(), [])
case("TestFrom", "an image's file", lambda d: there(base(d).file("/etc/os-release").contents()), True)
case(
    "TestScratchRootFSDoesNotAliasSelectedDirectory",
    "an empty root is a directory",
    lambda d: d.container().rootfs().with_new_file("foo", "bar").file("foo").contents(),
    "bar",
)
case(
    "TestWithRootFS",
    "another root, the same variables",
    lambda d: base(d).with_env_variable("V", "x").with_rootfs(base(d).rootfs()).env_variable("V"),
    "x",
)
case("TestError withError", "an error on demand", lambda d: base(d).with_error("raised").sync(), FAILS)
case("TestError withError", "an empty error is none", lambda d: there(base(d).with_error("").sync()), True)

# ---- commands

case("TestExecSync", "a command that fails", lambda d: base(d).with_exec(["false"]).sync(), Fails(1))
case("TestExecStdoutStderr", "stdout", lambda d: base(d).with_exec(["echo", "hello"]).stdout(), "hello\n")
case("TestExecStdoutStderr", "stderr", lambda d: base(d).with_exec(["sh", "-c", "echo bye >&2"]).stderr(), "bye\n")
case("TestExecStdoutStderr", "stdout without a command", lambda d: base(d).stdout(), FAILS)
case("TestExecStdoutStderr", "stderr without a command", lambda d: base(d).stderr(), FAILS)
case("TestExecStdin", "stdin", lambda d: base(d).with_exec(["cat"], stdin="hello").stdout(), "hello")
case(
    "TestExecRedirectStdin",
    "stdin from a mounted file, stdout to one",
    lambda d: (
        base(d)
        .with_mounted_directory("/mnt", files(d, input="redirected"))
        .with_exec(["cat"], redirect_stdin="/mnt/input", redirect_stdout="/mnt/out")
        .file("/mnt/out")
        .contents()
    ),
    "redirected",
)
case(
    "TestExecRedirectStdinSecret",
    "stdin from a secret",
    lambda d: (
        base(d)
        .with_mounted_secret("/mnt/secret", d.set_secret("s", "secret stdin"))
        .with_exec(["sh", "-c", "tr a-z A-Z"], redirect_stdin="/mnt/secret", redirect_stdout="/mnt/out")
        .file("/mnt/out")
        .contents()
    ),
    "SECRET STDIN",
)


def said(d: dagger.Client, where: str = "") -> dagger.Container:
    options = {"redirect_stdout": f"{where}out", "redirect_stderr": f"{where}err"}
    container = base(d).with_mounted_directory("/mnt", d.directory()) if where else base(d)
    return container.with_exec(["sh", "-c", "echo hello; echo bye >&2"], **options)


for _where in ("", "/mnt/"):
    case(
        "TestExecRedirectStdoutStderr",
        f"streams to files {_where or 'in the root'}",
        lambda d, w=_where: each(said(d, w).file(f"{w}out").contents(), said(d, w).file(f"{w}err").contents()),  # type: ignore[misc]
        ["hello\n", "bye\n"],
    )
case(
    "TestExecWithWorkdir",
    "in a working directory",
    lambda d: base(d).with_workdir("/usr").with_exec(["pwd"]).stdout(),
    "/usr\n",
)
case("TestWithWorkdir", "the working directory", lambda d: base(d).with_workdir("/usr").workdir(), "/usr")
case(
    "TestExecWithoutWorkdir",
    "without a working directory",
    lambda d: base(d).with_workdir("/usr").without_workdir().with_exec(["pwd"]).stdout(),
    "/\n",
)
for _user, _script, _out in (
    ("daemon", "whoami", "daemon\n"),
    ("daemon:games", "whoami; groups", "daemon\ngames\n"),
    ("1", "whoami", "daemon\n"),
    ("1:60", "whoami; groups", "daemon\ngames\n"),
):
    case("TestExecWithUser", f"as {_user}", lambda d, u=_user, s=_script: sh(base(d).with_user(u), s), _out)  # type: ignore[misc]
    case("TestExecWithUser", f"the user is {_user}", lambda d, u=_user: base(d).with_user(u).user(), _user)  # type: ignore[misc]
case("TestExecWithUser", "an image's user", lambda d: base(d).user(), "")
case(
    "TestExecWithUser",
    "stdin of a user",
    lambda d: base(d).with_user("daemon").with_exec(["sh"], stdin="whoami").stdout(),
    "daemon\n",
)
case(
    "TestExecWithoutUser",
    "without a user",
    lambda d: base(d).with_user("daemon").without_user().with_exec(["whoami"]).stdout(),
    "root\n",
)

# ---- entrypoint and default arguments

case("TestExecWithEntrypoint", "none before", lambda d: base(d).entrypoint(), [])
case("TestExecWithEntrypoint", "one after", lambda d: base(d).with_entrypoint(["sh"]).entrypoint(), ["sh"])
case(
    "TestExecWithEntrypoint",
    "used",
    lambda d: base(d).with_entrypoint(["sh"]).with_exec(["-c", "echo $HOME"], use_entrypoint=True).stdout(),
    "/root\n",
)
case(
    "TestExecWithEntrypoint",
    "in front of what it is itself",
    lambda d: base(d).with_entrypoint(["sh"]).with_exec(["sh", "-c", "true"], use_entrypoint=True).sync(),
    FAILS,
)
case("TestExecWithEntrypoint", "not used", lambda d: sh(base(d).with_entrypoint(["sh"]), "echo $HOME"), "/root\n")
case(
    "TestExecWithEntrypoint",
    "default arguments unset",
    lambda d: (
        base(d).with_default_args(["foobar"]).with_entrypoint(["echo"]).with_exec([], use_entrypoint=True).stdout()
    ),
    "\n",
)
case(
    "TestExecWithEntrypoint",
    "default arguments kept",
    lambda d: (
        base(d)
        .with_default_args(["foobar"])
        .with_entrypoint(["echo"], keep_default_args=True)
        .with_exec([], use_entrypoint=True)
        .stdout()
    ),
    "foobar\n",
)
case(
    "TestExecWithEntrypoint", "cleared", lambda d: base(d).with_entrypoint(["sh"]).with_entrypoint([]).entrypoint(), []
)
case(
    "TestExecWithoutEntrypoint",
    "taken away",
    lambda d: (
        base(d)
        .with_entrypoint(["foo"])
        .without_entrypoint()
        .with_exec(["echo", "-n", "foobar"], use_entrypoint=True)
        .stdout()
    ),
    "foobar",
)
case(
    "TestExecWithoutEntrypoint",
    "taken away with the default arguments",
    lambda d: base(d).with_entrypoint(["foo"]).with_default_args(["echo", "x"]).without_entrypoint().stdout(),
    FAILS,
)
case(
    "TestExecWithoutEntrypoint",
    "taken away without the default arguments",
    lambda d: (
        base(d)
        .with_entrypoint(["foo"])
        .with_default_args(["echo", "-n", "foobar"])
        .without_entrypoint(keep_default_args=True)
        .with_exec([])
        .stdout()
    ),
    "foobar",
)
case("TestWithDefaultArgs", "no default arguments", lambda d: base(d).with_default_args([]).default_args(), [])
case(
    "TestWithDefaultArgs",
    "an entrypoint clears them",
    lambda d: base(d).with_entrypoint(["sh", "-c"]).default_args(),
    [],
)
case(
    "TestWithDefaultArgs",
    "both",
    lambda d: each(
        *(
            ask
            for ask in (
                both(d).entrypoint(),
                both(d).default_args(),
                both(d).with_exec([], use_entrypoint=True).stdout(),
            )
        )
    ),
    [["sh", "-c"], ["id -u"], "0\n"],
)


def both(d: dagger.Client) -> dagger.Container:
    return base(d).with_entrypoint(["sh", "-c"]).with_default_args(["id -u"])


case(
    "TestExecWithoutDefaultArgs",
    "default arguments taken away",
    lambda d: echo(d).with_default_args(["foo"]).without_default_args().with_exec([], use_entrypoint=True).stdout(),
    "",
)

# ---- variables

case(
    "TestExecWithEnvVariable", "a variable", lambda d: sh(base(d).with_env_variable("FOO", "bar"), "echo $FOO"), "bar\n"
)
case("TestVariable", "its value", lambda d: d.container().with_env_variable("A", "1").env_variable("A"), "1")
case("TestVariable", "one that isn't there", lambda d: base(d).env_variable("UNKNOWN"), None)
case(
    "TestEnvVariablesReplace",
    "replaced in its place",
    lambda d: pairs(
        d.container()
        .with_env_variable("A", "1")
        .with_env_variable("B", "2")
        .with_env_variable("A", "3")
        .env_variables()
    ),
    [["A", "3"], ["B", "2"]],
)
case(
    "TestWithoutVariable",
    "a variable taken away",
    lambda d: pairs(
        d.container().with_env_variable("A", "1").with_env_variable("B", "2").without_env_variable("A").env_variables()
    ),
    [["B", "2"]],
)
case(
    "TestWithEnvVariableExpand",
    "not expanded",
    lambda d: base(d).with_env_variable("FOO", "foo:$PATH").with_exec(["printenv", "FOO"]).stdout(),
    "foo:$PATH\n",
)
case(
    "TestWithEnvVariableExpand",
    "expanded",
    lambda d: (
        base(d)
        .with_env_variable("PATH", "/bin:/usr/bin")
        .with_env_variable("USER_PATH", "/opt")
        .with_env_variable("PATH", "${USER_PATH}/bin:$PATH", expand=True)
        .with_exec(["printenv", "PATH"])
        .stdout()
    ),
    "/opt/bin:/bin:/usr/bin\n",
)


async def volatile(d: dagger.Client) -> object:
    found = [
        await sh(base(d).with_volatile_variable("RUN_ID", run), "head -c 32 /dev/urandom | sha256sum; : volatile")
        for run in ("one", "two")
    ]
    return found[0] == found[1]


def marked(d: dagger.Client, marker: str, run: str) -> object:
    container = base(d).with_new_file("/marker", marker).with_volatile_variable("RUN_ID", run)
    return sh(container, 'printf %s:%s "$RUN_ID" "$(cat /marker)"')


def persisted(d: dagger.Client) -> dagger.Container:
    return d.container().with_env_variable("PERSIST", "p").with_volatile_variable("VOL", "v")


case(
    "TestVolatileVariables expand rejects volatile vars",
    "a volatile one is not expanded",
    lambda d: persisted(d).with_env_variable("COPY", "$VOL", expand=True).env_variable("COPY"),
    FAILS,
)
case(
    "TestVolatileVariables expand rejects volatile vars",
    "one with a longer name is",
    lambda d: (
        persisted(d).with_env_variable("VOLUME", "3").with_env_variable("C", "$VOLUME", expand=True).env_variable("C")
    ),
    "3",
)
case("TestVolatileVariables", "a volatile one doesn't run a step again", volatile, True)
case(
    "TestVolatileVariables",
    "another input does, and sees its latest value",
    lambda d: each(marked(d, "a", "one"), marked(d, "b", "two")),  # type: ignore[arg-type]
    ["one:a", "two:b"],
)
case(
    "TestVolatileVariables",
    "a volatile one isn't listed",
    lambda d: pairs(persisted(d).env_variables()),
    [["PERSIST", "p"]],
)
case("TestVolatileVariables", "a volatile one isn't asked for", lambda d: persisted(d).env_variable("VOL"), None)
case(
    "TestVolatileVariables",
    "a volatile one is seen",
    lambda d: sh(base(d).with_volatile_variable("VOL", "v"), "echo $VOL"),
    "v\n",
)

# ---- labels

case("TestLabel", "a label", lambda d: d.container().with_label("FOO", "BAR").label("FOO"), "BAR")
case("TestLabel", "a label replaced", lambda d: d.container().with_label("F", "1").with_label("F", "2").label("F"), "2")
case("TestLabel", "no label", lambda d: d.container().label("FOO"), None)
case(
    "TestLabel", "a label taken away", lambda d: d.container().with_label("F", "1").without_label("F").label("F"), None
)
case("TestLabel", "one taken away that isn't there", lambda d: d.container().without_label("F").label("F"), None)
case("TestLabel", "no labels", lambda d: d.container().labels(), [])
