"""One source, built twice as differently as can be: two stores, two id ranges, two dates. The image is the same."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import dagger
import pytest

from .conftest import ENGINE, session
from .registry import LocalRegistry, local_registry

pytestmark = [pytest.mark.needs("root", "network", "docker-registry", "faketime"), pytest.mark.timeout(900)]

BASE = "python:3.11-slim"

# What dates its work: apt, dpkg, ldconfig, useradd, pip, Python's compiler. FAKETIME and LD_PRELOAD come as build
# arguments, so that all of them see another date in the second build.
DOCKERFILE = """
FROM {base}
RUN apt-get -q -o Acquire::Check-Valid-Until=false update && apt-get -q install -y --no-install-recommends faketime \
 && rm -rf /var/lib/apt/lists/*
ARG FAKETIME
ARG LD_PRELOAD
RUN date +%F > /dev/stderr && apt-get -q -o Acquire::Check-Valid-Until=false update \
 && apt-get -q install -y --no-install-recommends tree && rm -rf /var/lib/apt/lists/* && ldconfig
RUN useradd --create-home app && python -m venv /venv
COPY package /src
RUN pip install /src && python -m compileall -q /src && cp -a /src /copied
USER app
CMD ["python", "-m", "package"]
"""

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "package"
version = "1"
[tool.setuptools]
py-modules = ["package"]
"""

OTHER_IDS = """
import os, sys
from sealane_engine import __main__
from sealane_engine.sandbox import ids
ids.ROOT_RANGE = ids.IdRange(0x7100_0000)
code = __main__.main()
sys.stdout.flush()
os._exit(code)
"""

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    with local_registry(tmp_path) as found:
        yield found


@pytest.fixture
def other_home() -> Iterator[Path]:
    """A new store, where the ids of steps reach it."""
    home = Path(tempfile.mkdtemp(prefix="sealane-other-", dir="/var/tmp"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home)


def write_source(folder: Path, base: str, written: float) -> None:
    package = folder / "package"
    package.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE.replace("{base}", base))
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "package.py").write_text("print('it runs')\n")
    for path in package.iterdir():
        os.utime(path, (written, written))


async def built(address: str, base: str, written: float, **arguments: str) -> tuple[str, str, str]:
    """Builds and publishes; answers the index's digest, what it would be with its dates, and the day dpkg wrote down."""
    with tempfile.TemporaryDirectory() as folder:
        write_source(Path(folder), base, written)
        async with dagger.Connection() as dag:
            given = [dagger.BuildArg(name=name, value=value) for name, value in arguments.items()]
            image = dag.host().directory(folder).docker_build(build_args=given)
            assert await image.with_exec([], use_entrypoint=True).stdout() == "it runs\n"
            log = await image.file("/var/log/dpkg.log").contents()
            files = dag.directory().with_new_file("f", "x")
            other = dag.container(platform=dagger.Platform("linux/arm64")).with_rootfs(files)
            ref = await dag.container().publish(address, platform_variants=[image, other])
            given.append(dagger.BuildArg(name="SOURCE_DATE_EPOCH", value=""))
            dated = await dag.host().directory(folder).docker_build(build_args=given).publish(f"{address}-dated")
    return ref.partition("@")[2], dated.partition("@")[2], log.splitlines()[-1].partition(" ")[0]


def test_the_same_source_is_the_same_image(shared_home: Path, other_home: Path, registry: LocalRegistry):
    base = f"{registry.host}/base:1"

    async def first() -> tuple[str, str, str]:
        async with dagger.Connection() as dag:
            await dag.container().from_(BASE).publish(base)
        return await built(f"{registry.host}/app:1", base, 1_700_000_000)

    async def second() -> tuple[str, str, str]:
        return await built(f"{registry.host}/app:2", base, 1_600_000_000, FAKETIME="+40d", LD_PRELOAD=LIBRARY)

    def under(home: Path, work, *options: str, program: tuple[str, ...] = ENGINE, **extra: str):
        environ = {**os.environ, **extra}
        with session(home, environ, *options, program=program) as found, pytest.MonkeyPatch.context() as patch:
            for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
                patch.setenv(name, found[name])
            return anyio.run(work)

    one = under(shared_home, first, "--allow", "catalog:*")
    # The engine's own clock is another, too; what waits for seconds to pass must not be.
    later = ("faketime", "-f", "+40d", sys.executable, "-c", OTHER_IDS)
    two = under(other_home, second, program=later, FAKETIME_DONT_FAKE_MONOTONIC="1")
    assert one[0] == two[0]
    assert one[1] != two[1]
    assert one[2] != two[2]
