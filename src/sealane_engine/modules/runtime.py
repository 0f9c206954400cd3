"""The container that a Python module's functions run in: interpreter, dependencies, source.

Dependencies are a step of their own whose key has the requirements alone, so an edit of the module's code installs
nothing. The module itself isn't installed but put on the path, with the metadata an installation would have left:
what an editable install amounts to, without its build backend.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sealane_engine.api.container.execs import make_step
from sealane_engine.api.container.images import from_image
from sealane_engine.api.values import Container, with_pair
from sealane_engine.errors import ExecError, InvalidInput, Unsupported
from sealane_engine.graph.operation import Edit, MountCache, MountTree, Operation, WriteFile
from sealane_engine.modules.bindings import FILE as BINDINGS
from sealane_engine.modules.bindings import bindings
from sealane_engine.modules.config import Project, brings_client, read_project
from sealane_engine.modules.names import camel

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.modules.module import Module
    from sealane_engine.modules.source import ModuleSource

CLIENT = "dagger-io==0.21.11"
"""The client that speaks the schema which this engine serves; for a module whose lock has none."""

META = "/opt/module"
_FILES = ("pyproject.toml", "requirements.lock", "uv.lock", ".python-version")
_PIP = (
    "python",
    "-m",
    "pip",
    "install",
    "-q",
    "--no-input",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A container that is ready for calls, and the variables that say which module it is."""

    container: Container
    env: tuple[tuple[str, str], ...]


async def make_runtime(ctx: Context, module: Module) -> Runtime:
    """The runtime of a module; dependencies are installed here if they never were."""
    source = module.needs_source()
    config = source.needs_config()
    if config.sdk != "python":
        raise Unsupported(
            f'module "{config.name}" is written with the SDK "{config.sdk}"; the embedded engine runs Python modules',
            hint="run it on a Dagger engine: sealane --engine dagger",
        )
    project = await _project(ctx, source)
    container = await _installed(ctx, project)
    if module.dependencies:
        container = replace(container, root=_file(container.root, f"{META}/{BINDINGS}", bindings(module.dependencies)))
    target = f"/src/{module.digest.removeprefix('sha256:')[:16]}"
    workdir = target if source.code == "." else f"{target}/{source.code}"
    path = workdir if project.src == "." else f"{workdir}/{project.src}"
    mounted = MountTree(target, source.directory().at)
    env = with_pair(container.config.env, "PYTHONPATH", f"{path}:{META}")
    container = replace(container, mounts=(*container.mounts, mounted)).with_config(env=env, workdir=workdir, user="")
    main = camel(config.name)
    return Runtime(
        container,
        (
            ("DAGGER_MODULE", config.name),
            ("DAGGER_MAIN_OBJECT", main),
            ("DAGGER_DEFAULT_PYTHON_PACKAGE", project.package),
            ("PYTHONUNBUFFERED", "1"),
            ("OTEL_SDK_DISABLED", "true"),
        ),
    )


async def _project(ctx: Context, source: ModuleSource) -> Project:
    config = source.needs_config()
    if not await source.ground.has_directory(ctx, source.code):
        raise InvalidInput(
            f'module "{config.name}" has no source directory {source.ground.shown(source.code)}',
            reason="bad-module-config",
        )
    contents = {each: await source.ground.read(ctx, posixpath.join(source.code, each)) for each in _FILES}
    files = {name: data for name, data in contents.items() if data is not None}
    if await source.ground.has_directory(ctx, posixpath.join(source.code, "src")):
        files["src/"] = b""
    return read_project(files, config.name)


def installations(project: Project) -> list[tuple[str, ...]]:
    """The commands that install what a module needs, in their order.

    What a lock names is installed as it is; a client of ours comes with what it needs, for a lock has what the client of
    its own day needed.
    """
    steps = []
    if project.requirements:
        steps.append((*_PIP, *(("--no-deps",) if project.locked else ()), "-r", f"{META}/requirements.txt"))
    if not brings_client(project.requirements):
        steps.append((*_PIP, CLIENT))
    return steps


async def _installed(ctx: Context, project: Project) -> Container:
    """Interpreter, dependencies, dagger-io and the project's metadata."""
    container = await from_image(ctx, Container(), project.image)
    cache = MountCache("/root/.cache/pip", "sealane-modules-pip")
    container = replace(container, mounts=(cache,)).with_config(user="0:0", entrypoint=())
    if project.requirements:
        container = replace(container, root=_file(container.root, f"{META}/requirements.txt", project.requirements))
    steps = installations(project)
    for args in steps:
        container = container.after(make_step(container, args))
    if container.last is not None:
        try:
            await ctx.engine.solver.step(container.last, ctx.asker)
        except ExecError as error:
            raise ExecError(
                error.cmd, error.exit_code, error.stdout, error.stderr, "the module's dependencies can't be installed"
            ) from error
    root = container.root
    name = f"{META}/{project.package}-0.dist-info"
    root = _file(root, f"{name}/METADATA", f"Metadata-Version: 2.1\nName: {project.package}\nVersion: 0\n")
    if project.main_object:
        root = _file(root, f"{name}/entry_points.txt", f"[dagger.mod]\nmain_object = {project.main_object}\n")
    return replace(container, root=root, mounts=(), last=None)


def _file(base: Operation, path: str, text: str) -> Operation:
    return Edit(base, WriteFile(path, text.encode()))
