"""What all stages share: base containers, running a tool to its end whatever it says, and words for what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

import anyio
import dagger
from dagger import dag

from sealane.errors import SealaneError
from sealane.stages import tools

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sealane.config import Config
    from sealane.stages.project import Project

REPORTS = "/reports"
SOURCE = "/src"
TOOLS = "/opt/sealane"
_NOISE = re.compile(
    r"^(\[notice\]|WARNING: (Running pip as|You are using pip)|npm (error|ERR!) A complete log of this run|\s*$"
    r"|note: This error originates|hint: See above|╰─>|│ exit code)"
)
_BROKEN = "\N{MULTIPLICATION SIGN} "  # pip's mark
_COLLECTING = re.compile(r"^Collecting (\S+)", re.MULTILINE)
_REQUIREMENT_FILES = ("*requirements*.txt", "*constraints*.txt", "requirements/**")
_LOCAL = re.compile(r"^\s*(-e\s|--editable|\.|file:|[\w.\[\],-]+\s*@\s*file:)", re.MULTILINE)
_OFFLINE = re.compile(
    r"Temporary failure in name resolution|Name or service not known|NewConnectionError|Failed to establish a new"
    r"|Network is unreachable|ConnectTimeoutError|SSLCertVerificationError|CERTIFICATE_VERIFY_FAILED|ECONNREFUSED"
    r"|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|Connection refused|No route to host|NameResolutionError"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Executed:
    """A command that ran to its end, with any exit code."""

    container: dagger.Container
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return "\n".join(filter(None, (self.stdout.strip("\n"), self.stderr.strip("\n"))))


class CannotRunError(SealaneError):
    """A stage can't do its work: *not run*, with the message as the reason. `log` is the end of what was said."""

    reason = "cannot-run"

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


def python(config: Config | None = None) -> dagger.Container:
    """A Python that pip may install into, with the pip cache that all stages share."""
    image = config.python_image if config else tools.python_image()
    return (
        dag.container()
        .from_(image)
        .with_env_variable("PYTHONUNBUFFERED", "1")
        .with_env_variable("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .with_env_variable("PIP_ROOT_USER_ACTION", "ignore")
        .with_env_variable("PIP_PROGRESS_BAR", "off")
        # Always in a fresh environment with the build tools of the index, never with those that the image happens to have.
        .with_env_variable("PIP_USE_PEP517", "1")
        .with_mounted_cache("/root/.cache/pip", dag.cache_volume("sealane-pip"))
        .with_new_file(f"{REPORTS}/.keep", "")
        .without_file(f"{REPORTS}/.keep")
        .with_workdir(SOURCE)
    )


def with_tools(container: dagger.Container, *names: str) -> dagger.Container:
    """Pinned tools in an environment of their own, so that they never meet the project's requirements."""
    return with_requirements(container, *map(tools.requirement, names))


def with_requirements(container: dagger.Container, *requirements: str) -> dagger.Container:
    """The same for tools whose versions are said."""
    return container.with_exec(["python", "-m", "venv", TOOLS]).with_exec(
        [f"{TOOLS}/bin/pip", "install", *requirements]
    )


async def installed(container: dagger.Container, what: str) -> dagger.Container:
    """The container, once its installing steps have worked.

    Those steps expect success, because an engine keeps the result of a step that was allowed to fail: a registry that
    was away for a minute would stay away. Raises CannotRunError.
    """
    try:
        return await container.sync()
    except dagger.QueryError as error:
        raise CannotRunError(f"{what} can't be installed: {reason_of(error)}", log_of(error)) from None


async def with_requirement_files(
    container: dagger.Container, project: Project, names: Sequence[str]
) -> dagger.Container:
    """The requirement files alone, so that a change of the code installs nothing anew.

    All of the source goes along when one of them names the project itself or a folder in it.
    """
    texts = [await project.source.file(name).contents() for name in names]
    if any(_LOCAL.search(text) for text in texts):
        return container.with_directory(SOURCE, project.source)
    return container.with_directory(SOURCE, project.source, include=[*_REQUIREMENT_FILES, *names])


async def attempt(
    container: dagger.Container, args: Sequence[str], *, stdout: str = "", stderr: str = "", keep: bool = True
) -> Executed:
    """Run a command that may fail; with `stdout` and `stderr` also written to these files.

    Without `keep` an engine does not keep a failure: the next run tries again. There is no container after one then.
    """
    expect = dagger.ReturnType.ANY if keep else dagger.ReturnType.SUCCESS
    done = container.with_exec(list(args), expect=expect, redirect_stdout=stdout, redirect_stderr=stderr)
    try:
        code = await done.exit_code()
    except dagger.ExecError as error:
        if list(error.command) != list(args):  # another command's: a service that the container is bound to
            raise
        # Without `keep`, or ended by a signal, which ANY doesn't cover: there is no container after it.
        return Executed(container, error.exit_code, error.stdout, error.stderr)
    return Executed(done, code, await done.stdout(), await done.stderr())


async def concurrently(*calls: Callable[[], Awaitable[T]]) -> list[T]:
    """All results in order. The first error ends the rest and is raised itself, not in a group."""
    results: dict[int, T] = {}

    async def run(index: int, call: Callable[[], Awaitable[T]]) -> None:
        results[index] = await call()

    try:
        async with anyio.create_task_group() as group:
            for index, call in enumerate(calls):
                group.start_soon(run, index, call)
    except BaseExceptionGroup as errors:
        raise unwrapped(errors) from None
    return [results[index] for index in range(len(calls))]


def unwrapped(error: BaseException) -> BaseException:
    """The first real error in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def script(name: str) -> str:
    """A helper that runs inside a container: the text of `scripts/<name>`."""
    return resources.files("sealane.stages").joinpath("scripts", name).read_text()


def reason_of(error: BaseException) -> str:
    """One line that says what went wrong."""
    if isinstance(error, dagger.ExecError):
        said = last_lines(error.stderr or error.stdout, 1)
        command = " ".join(error.command[:4])
        if offline(error.stderr + error.stdout):
            return f"no network: {said}"
        if said.startswith(_BROKEN) and (collected := _COLLECTING.findall(error.stdout)):
            said = f"{said.removeprefix(_BROKEN)} ({collected[-1]})"  # a package's own build; pip names it only before
        return f"`{command}` exited with {error.exit_code}: {said}" if said else f"`{command}` exited {error.exit_code}"
    if isinstance(error, TimeoutError):
        return "it took too long"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:500]


def log_of(error: BaseException) -> str:
    if isinstance(error, dagger.ExecError):
        return "\n".join(filter(None, (error.stdout, error.stderr)))
    return str(error)


def offline(log: str) -> bool:
    return bool(_OFFLINE.search(log))


def last_lines(text: str, count: int = 20) -> str:
    lines = [line.rstrip() for line in text.splitlines() if not _NOISE.match(line)]
    return "\n".join(lines[-count:])


def node_base(config: Config) -> dagger.Container:
    """A Node with the npm cache that all stages share."""
    return (
        dag.container()
        .from_(config.node_image)
        .with_env_variable("CI", "true")
        .with_env_variable("npm_config_update_notifier", "false")
        .with_env_variable("npm_config_fund", "false")
        .with_mounted_cache("/root/.npm", dag.cache_volume("sealane-npm"))
    )


async def node(project: Project) -> dagger.Container:
    """The project's Node part, its packages installed from the lock file. Raises CannotRunError, dagger.QueryError."""
    folder = project.frontend or "."
    source = project.source.directory(folder)
    prefix = "" if folder == "." else f"{folder}/"
    locked = project.has(f"{prefix}package-lock.json")
    names = [n for n in ("package.json", "package-lock.json", ".npmrc") if project.has(prefix + n)]
    base = node_base(project.config).with_env_variable("npm_config_audit", "false").with_workdir("/frontend")
    for name in names:
        base = base.with_file(f"/frontend/{name}", source.file(name))
    ready = await installed(base.with_exec(["npm", "ci" if locked else "install"]), "the frontend's packages")
    return ready.with_directory("/frontend", source, exclude=["node_modules"])
