"""Container: files and directories in it, and what is mounted on it."""

from __future__ import annotations

import time

import dagger

from .table import FAILS, Cases, base, files, sh

CASES = case = Cases("mounts", "core/integration/container_test.go")


def source(d: dagger.Client) -> dagger.Directory:
    return d.directory().with_new_file("f", "some-content").with_new_file("d/s", "sub-content")


def mounted(d: dagger.Client) -> dagger.Container:
    return base(d).with_mounted_directory("/mnt", source(d))


case(
    "TestWithMountedDirectory",
    "a mounted directory",
    lambda d: sh(mounted(d), "cat /mnt/f /mnt/d/s"),
    "some-contentsub-content",
)
case(
    "TestWithMountedDirectoryReadOnly",
    "read only",
    lambda d: sh(
        base(d).with_mounted_directory("/mnt", source(d), read_only=True),
        "cat /mnt/f; touch /mnt/no 2>/dev/null && echo writable || echo readonly",
    ),
    "some-contentreadonly\n",
)
case(
    "TestWithMountedDirectorySourcePath",
    "a part is mounted, and written to",
    lambda d: sh(
        base(d)
        .with_mounted_directory("/mnt", source(d).directory("d"))
        .with_exec(["sh", "-c", "echo -n more >> /mnt/s"]),
        "cat /mnt/s",
    ),
    "sub-contentmore",
)
case(
    "TestWithMountedDirectoryPropagation",
    "writes go on to the next step",
    lambda d: sh(mounted(d).with_exec(["sh", "-c", "echo -n more >> /mnt/f"]), "cat /mnt/f"),
    "some-contentmore",
)
case(
    "TestWithMountedDirectoryPropagation",
    "mounted again, it is as it was",
    lambda d: sh(
        mounted(d).with_exec(["sh", "-c", "echo -n more >> /mnt/f"]).with_mounted_directory("/mnt", source(d)),
        "cat /mnt/f",
    ),
    "some-content",
)
case(
    "TestWithMountedFile",
    "a mounted file",
    lambda d: base(d).with_mounted_file("/mnt/file", source(d).file("d/s")).with_exec(["cat", "/mnt/file"]).stdout(),
    "sub-content",
)
case(
    "TestWithMountedTemp",
    "a temporary one",
    lambda d: sh(base(d).with_mounted_temp("/mnt/tmp"), "grep /mnt/tmp /proc/mounts | cut -d' ' -f1,2,3"),
    "tmpfs /mnt/tmp tmpfs\n",
)
case(
    "TestWithMountedTemp",
    "a temporary one's size",
    lambda d: sh(base(d).with_mounted_temp("/mnt/tmp", size=4000), "grep /mnt/tmp /proc/mounts | grep -o size=4k"),
    "size=4k\n",
)
case("TestMountsWithoutMount", "no mounts", lambda d: base(d).mounts(), [])


def two(d: dagger.Client) -> dagger.Container:
    return base(d).with_mounted_temp("/mnt/tmp").with_mounted_directory("/mnt/dir", source(d))


case("TestMountsWithoutMount", "mounts in their order", lambda d: two(d).mounts(), ["/mnt/tmp", "/mnt/dir"])
case("TestMountsWithoutMount", "one taken away", lambda d: two(d).without_mount("/mnt/dir").mounts(), ["/mnt/tmp"])
case(
    "TestMountsWithoutMount",
    "what is under it is there again",
    lambda d: sh(under(d).without_mount("/mnt/dir"), "ls /mnt/dir"),
    "",
)


def under(d: dagger.Client) -> dagger.Container:
    return base(d).with_directory("/mnt/dir", d.directory()).with_mounted_directory("/mnt/dir", source(d))


def replaced(d: dagger.Client) -> dagger.Container:
    lower, upper = files(d, f="lower"), files(d, f="upper")
    return base(d).with_mounted_directory("/mnt/dir", lower).with_mounted_directory("/mnt/dir", upper)


def over(d: dagger.Client) -> dagger.Container:
    return replaced(d).with_mounted_directory("/mnt", files(d, f="clobbered"))


case("TestReplacedMounts", "one at the same place", lambda d: replaced(d).mounts(), ["/mnt/dir"])
case("TestReplacedMounts", "it is the later one", lambda d: sh(replaced(d), "cat /mnt/dir/f"), "upper")
case(
    "TestReplacedMounts",
    "the earlier one doesn't come back",
    lambda d: replaced(d).without_mount("/mnt/dir").mounts(),
    [],
)
case("TestReplacedMounts", "one above takes those below away", lambda d: over(d).mounts(), ["/mnt"])
case("TestReplacedMounts", "one above is seen", lambda d: sh(over(d), "cat /mnt/f"), "clobbered")
case(
    "TestReplacedMounts",
    "one below again",
    lambda d: over(d).with_mounted_directory("/mnt/dir", files(d, f="again")).mounts(),
    ["/mnt", "/mnt/dir"],
)

# ---- files of a container

case(
    "TestWithDirectory",
    "relative to the working directory",
    lambda d: sh(base(d).with_workdir("/w").with_directory("with", source(d)), "cat with/d/s /w/with/d/s"),
    "sub-content" * 2,
)
case(
    "TestWithDirectory",
    "into a mount",
    lambda d: sh(
        mounted(d).with_directory("/mnt/x", files(d, a="a")).with_directory("/mnt/y", files(d, b="b")),
        "cat /mnt/f /mnt/x/a /mnt/y/b",
    ),
    "some-contentab",
)
case(
    "TestWithDirectory",
    "layers",
    lambda d: sh(
        base(d)
        .with_directory("/w", files(d, a="a", c="a", skip="s"), exclude=["skip"])
        .with_directory("/w/n", files(d, b="b"))
        .with_directory("/w", files(d, c="c")),
        "cat /w/a /w/n/b /w/c; ls /w",
    ),
    "abca\nc\nn\n",
)
case(
    "TestWithFile",
    "a file, relative to the working directory",
    lambda d: sh(base(d).with_workdir("/w").with_file("t", files(d, f="x").file("f")), "cat t /w/t"),
    "xx",
)
case(
    "TestWithNewFile",
    "a new file",
    lambda d: sh(base(d).with_workdir("/w").with_new_file("f", "x"), "cat f /w/f"),
    "xx",
)


def pathed(d: dagger.Client) -> dagger.Container:
    found = base(d).with_workdir("/workdir")
    for path in ("moo", "foo", "bar/man", "bat/man", "/ual"):
        found = found.with_new_file(path, "")
    return found


case(
    "TestWithoutPath",
    "without what isn't there",
    lambda d: sh(pathed(d).without_file("no"), "ls"),
    "bar\nbat\nfoo\nmoo\n",
)
case("TestWithoutPath", "by pattern", lambda d: sh(pathed(d).without_file("*oo"), "ls"), "bar\nbat\n")
case("TestWithoutPath", "a directory", lambda d: sh(pathed(d).without_directory("bar"), "ls"), "bat\nfoo\nmoo\n")
case(
    "TestWithoutPath",
    "the working directory's contents",
    lambda d: sh(pathed(d).without_directory(""), "find /workdir"),
    "/workdir\n",
)
case(
    "TestWithoutPath",
    "an absolute path",
    lambda d: sh(pathed(d).without_file("/ual"), "ls -d /ual || echo gone"),
    "gone\n",
)
case(
    "TestWithoutPaths",
    "several, with a pattern",
    lambda d: sh(pathed(d).without_files(["no", "*oo"]), "ls"),
    "bar\nbat\n",
)
for _to in ("/opt/my", "/opt/my/"):
    case(
        "TestWithFiles",
        f"files into {_to}",
        lambda d, to=_to: sh(  # type: ignore[misc]
            base(d).with_files(to, [files(d, one="1").file("one"), files(d, two="2").file("two")]),
            "cat /opt/my/one /opt/my/two",
        ),
        "12",
    )
case(
    "TestWithFilesNested",
    "a file of a part",
    lambda d: base(d).with_files("/n", [files(d, "sub/f").directory("/sub").file("f")]).directory("/n").glob("**/*"),
    ["f"],
)
case(
    "TestWithFilesNested",
    "a file into a directory that is there",
    lambda d: base(d).with_file("/srv", files(d, "sub/f").directory("/sub").file("f")).directory("/srv").glob("**/*"),
    ["f"],
)
case(
    "TestDirectory",
    "what a step wrote in a mount in a mount",
    lambda d: (
        mounted(d)
        .with_mounted_directory("/mnt/over", source(d))
        .with_exec(["sh", "-c", "echo hello > /mnt/over/another"])
        .directory("/mnt/over")
        .file("another")
        .contents()
    ),
    "hello\n",
)
for _name, _path in (("a file", "/mnt/f"), ("what isn't there", "/mnt/bogus")):
    case("TestDirectoryErrors", f"the directory of {_name}", lambda d, p=_path: mounted(d).directory(p).sync(), FAILS)  # type: ignore[misc]
case(
    "TestDirectoryErrors",
    "a directory of a temporary mount",
    lambda d: base(d).with_mounted_temp("/mnt/tmp").directory("/mnt/tmp/bogus").sync(),
    FAILS,
)
case(
    "TestMountFromFileWithOverridingMount (secret_test.go)",
    "a file over a secret, asked for",
    lambda d: (
        base(d)
        .with_mounted_secret("/s", d.set_secret("k", "some-secret"))
        .with_mounted_file("/s", files(d, f="some-content").file("f"))
        .file("/s")
        .contents()
    ),
    "some-content",
)

# ---- what a mount is made of

case(
    "TestWithMountedDirectoryOwner permissions",
    "a part that is given an owner keeps its mode",
    lambda d: sh(
        base(d).with_mounted_directory(
            "/m", d.directory().with_new_directory("p", permissions=0o745).directory("p"), owner="1234:4321"
        ),
        "stat -c %a:%u:%g /m",
    ),
    "745:1234:4321\n",
)
case(
    "TestWithoutFileOnMountedFile",
    "a file goes with the one that is mounted over it",
    lambda d: (
        base(d)
        .with_file("/mnt/f", d.file("f", "1"))
        .with_mounted_file("/mnt/f", d.file("f", "2"))
        .without_file("/mnt/f")
        .directory("/mnt")
        .entries()
    ),
    [],
)
case(
    "TestFileErrors get path under tmpfs",
    "no path out of a tmpfs",
    lambda d: base(d).with_mounted_temp("/mnt/tmp").file("/mnt/tmp/bogus").contents(),
    FAILS,
)


def cached(d: dagger.Client, key: str, **given: object) -> dagger.Container:
    return base(d).with_mounted_cache("/c", d.cache_volume(key), **given)  # type: ignore[arg-type]


async def volumes(d: dagger.Client) -> object:
    """What is in the volumes of one key after its plain one was written to: plain, an owner's, one with a source."""
    key = f"contract-{time.time_ns()}"
    await sh(cached(d, key), "echo plain > /c/f")
    list_it = f"stat -c %a:%u:%g /c; ls /c # {key}"
    seed = d.directory().with_new_directory("p", permissions=0o745).with_new_file("p/seed", "").directory("p")
    return [
        await sh(cached(d, key), list_it),
        await sh(cached(d, key, owner="1234:4321"), list_it),
        await sh(cached(d, key, source=seed), list_it),
    ]


case(
    "TestWithMountedCacheOwner (core/schema/container.go withMountedCacheDynamicInputs)",
    "another owner or source makes another volume of a key",
    volumes,
    ["755:0:0\nf\n", "755:1234:4321\n", "745:0:0\nseed\n"],
)
case(
    "(platform_test.go, container_test.go TestFromIDPlatform)",
    "a platform in one spelling",
    lambda d: d.container(platform=dagger.Platform("linux/arm64/v8")).platform(),
    "linux/arm64",
)
case(
    "(platform_test.go TestInvalid)",
    "a platform that is none",
    lambda d: d.container(platform=dagger.Platform("windows98")).platform(),
    FAILS,
)
