"""Container: running commands and reading what they wrote."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sealane_engine.api.container.config import expanded
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, Service, join
from sealane_engine.errors import EngineError, InvalidInput
from sealane_engine.graph.operation import Binding, Exec, Failing
from sealane_engine.graph.step import StepResult

field = Fields("Container")


def make_step(self: Container, args: tuple[str, ...], **options: Any) -> Exec:
    """The step that runs `args` in this container as it is configured."""
    return Exec(
        root=Failing(self.error) if self.error else self.root,
        args=args,
        env=self.config.env,
        volatile_env=self.volatile_env,
        secret_env=self.secret_env,
        cwd=self.cwd,
        user=self.config.user,
        mounts=self.mounts,
        bindings=self.bindings,
        platform=self.platform,
        hidden=self.hidden,
        **options,
    )


def full_args(self: Container, args: list[str], use_entrypoint: bool, expand: bool) -> tuple[str, ...]:
    """The command line: the entrypoint in front if asked, the default arguments when none are given."""
    given = tuple(expanded(self, arg, expand) for arg in args) or self.config.default_args
    full = (*self.config.entrypoint, *given) if use_entrypoint else given
    if not full:
        raise InvalidInput(
            "no command has been set", reason="no-command", hint="give arguments, or call withDefaultArgs first"
        )
    return full


@field("withExec")
async def with_exec(
    ctx: Context,
    self: Container,
    *,
    args: list[str],
    useEntrypoint: bool = False,
    stdin: str = "",
    redirectStdin: str = "",
    redirectStdout: str = "",
    redirectStderr: str = "",
    expect: str = "SUCCESS",
    experimentalPrivilegedNesting: bool = False,
    insecureRootCapabilities: bool = False,
    expand: bool = False,
    noInit: bool = False,
) -> Container:
    if stdin and redirectStdin:
        raise InvalidInput("cannot set both stdin and redirectStdin", reason="stdin-twice", hint="give one of them")
    ctx.engine.allow_privileged(insecureRootCapabilities, "withExec(insecureRootCapabilities: true)")

    def path(text: str) -> str:
        return join(self.cwd, expanded(self, text, expand)) if text else ""

    step = make_step(
        self,
        full_args(self, args, useEntrypoint, expand),
        stdin=stdin,
        redirect_stdin=path(redirectStdin),
        redirect_stdout=path(redirectStdout),
        redirect_stderr=path(redirectStderr),
        expect=expect,
        nested=experimentalPrivilegedNesting,
        privileged=insecureRootCapabilities,
        no_init=noInit,
    )
    return self.after(step)


async def _last(ctx: Context, self: Container) -> StepResult:
    """The result of the last command."""
    if self.error:
        raise EngineError(self.error, reason="with-error")
    if self.last is None:
        raise InvalidInput("no command has been set", reason="no-command", hint="call withExec first")
    return await ctx.engine.solver.step(self.last, ctx.asker)


@field("stdout")
async def stdout(ctx: Context, self: Container) -> str:
    return (await _last(ctx, self)).stdout.decode(errors="replace")


@field("stderr")
async def stderr(ctx: Context, self: Container) -> str:
    return (await _last(ctx, self)).stderr.decode(errors="replace")


@field("combinedOutput")
async def combined_output(ctx: Context, self: Container) -> str:
    return (await _last(ctx, self)).combined.decode(errors="replace")


@field("exitCode")
async def exit_code(ctx: Context, self: Container) -> int:
    return (await _last(ctx, self)).exit_code


@field("sync")
async def sync(ctx: Context, self: Container) -> Any:
    if self.error:
        raise EngineError(self.error, reason="with-error")
    if self.last is not None:
        await ctx.engine.solver.step(self.last, ctx.asker)
    await ctx.engine.solver.tree(self.root, ctx.asker)
    return ctx.call.receiver


@field("withServiceBinding")
async def with_service_binding(ctx: Context, self: Container, *, alias: str, service: Service) -> Container:
    kept = tuple(each for each in self.bindings if each.alias != alias)
    return replace(self, bindings=(*kept, Binding(alias, service)))


@field("asService")
async def as_service(
    ctx: Context,
    self: Container,
    *,
    args: list[str] | None = None,
    useEntrypoint: bool = False,
    experimentalPrivilegedNesting: bool = False,
    insecureRootCapabilities: bool = False,
    expand: bool = False,
    noInit: bool = False,
) -> Service:
    ctx.engine.allow_privileged(insecureRootCapabilities, "asService(insecureRootCapabilities: true)")
    if not (args or self.config.default_args or self.config.entrypoint):
        raise InvalidInput(
            "no service command has been set", reason="no-command", hint="give arguments, or call withDefaultArgs first"
        )
    with_entrypoint = useEntrypoint or not (args or self.args_given)
    step = make_step(
        self,
        full_args(self, args or [], with_entrypoint, expand),
        nested=experimentalPrivilegedNesting,
        privileged=insecureRootCapabilities,
        no_init=noInit,
    )
    return Service(
        step=step,
        ports=self.config.ports,
        healthcheck=self.config.healthcheck,
        stop_signal=self.config.stop_signal,
    )
