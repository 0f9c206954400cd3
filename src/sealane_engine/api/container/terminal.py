"""Container: a command at the client's terminal. Nothing that it does is kept."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import replace

from sealane_engine.api.container.execs import make_step
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import Container, TerminalCommand

field = Fields("Container")


@field("withDefaultTerminalCmd")
async def with_default_terminal_cmd(
    ctx: Context,
    self: Container,
    *,
    args: list[str],
    experimentalPrivilegedNesting: bool | None = False,
    insecureRootCapabilities: bool | None = False,
) -> Container:
    command = TerminalCommand(tuple(args), bool(experimentalPrivilegedNesting), bool(insecureRootCapabilities))
    return replace(self, terminal=command)


@field("terminal")
async def terminal(
    ctx: Context,
    self: Container,
    *,
    cmd: list[str] | None = None,
    experimentalPrivilegedNesting: bool | None = None,
    insecureRootCapabilities: bool | None = None,
) -> Container:
    """Waits until the command has ended; the container that follows is the one from before it."""
    said = self.terminal
    privileged = said.privileged if insecureRootCapabilities is None else insecureRootCapabilities
    ctx.engine.need_machine(ctx.client, "its terminal")
    ctx.engine.allow_privileged(privileged, "terminal(insecureRootCapabilities: true)")
    step = make_step(
        self,
        tuple(cmd or ()) or said.args or ("sh",),
        nested=said.nested if experimentalPrivilegedNesting is None else experimentalPrivilegedNesting,
        privileged=privileged,
    )
    await ctx.engine.steps.at_terminal(step, ctx.engine.solver, ctx.asker)
    return self
