"""Container: environment, entrypoint, arguments, user, working directory, labels, ports, health check."""
# ruff: noqa: N803  (arguments carry their GraphQL names)

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealane_engine.api.durations import format_duration, parse_duration
from sealane_engine.api.registry import Context, Fields
from sealane_engine.api.values import (
    Container,
    Healthcheck,
    NameValue,
    Port,
    join,
    variables_in,
    with_pair,
    without_pair,
)
from sealane_engine.api.values import (
    expand as expand_variables,
)
from sealane_engine.errors import InvalidInput

if TYPE_CHECKING:
    from sealane_engine.secrets.secret import Secret

field = Fields("Container")


def expanded(self: Container, text: str, expand: bool) -> str:
    """A path or value with the container's variables put in, if asked: none that is secret, or doesn't count in keys."""
    if not expand:
        return text
    used = variables_in(text)
    for kind, pairs in (("secret", self.secret_env), ("volatile", self.volatile_env)):
        for name, _ in pairs:
            if name in used:
                raise InvalidInput(
                    f'expand cannot be used with {kind} env variable "{name}"',
                    reason=f"expand-{kind}",
                    hint="let the command read the variable itself",
                )
    return expand_variables(text, self.config.env)


@field("withEnvVariable")
async def with_env_variable(ctx: Context, self: Container, *, name: str, value: str, expand: bool = False) -> Container:
    return self.with_config(env=with_pair(self.config.env, name, expanded(self, value, expand)))


@field("withoutEnvVariable")
async def without_env_variable(ctx: Context, self: Container, *, name: str) -> Container:
    return self.with_config(env=without_pair(self.config.env, name))


@field("envVariable")
async def env_variable(ctx: Context, self: Container, *, name: str) -> str | None:
    return dict(self.config.env).get(name)


@field("envVariables")
async def env_variables(ctx: Context, self: Container) -> list[NameValue]:
    return [NameValue(name, value) for name, value in self.config.env]


@field("withVolatileVariable")
async def with_volatile_variable(ctx: Context, self: Container, *, name: str, value: str) -> Container:
    return replace(self, volatile_env=with_pair(self.volatile_env, name, value))


@field("withoutVolatileVariable")
async def without_volatile_variable(ctx: Context, self: Container, *, name: str) -> Container:
    return replace(self, volatile_env=without_pair(self.volatile_env, name))


@field("withSecretVariable")
async def with_secret_variable(ctx: Context, self: Container, *, name: str, secret: Secret) -> Container:
    kept = tuple(pair for pair in self.secret_env if pair[0] != name)
    return replace(self, secret_env=(*kept, (name, secret)))


@field("withoutSecretVariable")
async def without_secret_variable(ctx: Context, self: Container, *, name: str) -> Container:
    return replace(self, secret_env=tuple(pair for pair in self.secret_env if pair[0] != name))


@field("withEntrypoint")
async def with_entrypoint(
    ctx: Context, self: Container, *, args: list[str], keepDefaultArgs: bool = False
) -> Container:
    return _with_entrypoint(self, tuple(args), keep=keepDefaultArgs)


@field("withoutEntrypoint")
async def without_entrypoint(ctx: Context, self: Container, *, keepDefaultArgs: bool = False) -> Container:
    return _with_entrypoint(self, (), keep=keepDefaultArgs)


def _with_entrypoint(self: Container, args: tuple[str, ...], *, keep: bool) -> Container:
    changed = self.with_config(entrypoint=args, default_args=self.config.default_args if keep else ())
    return replace(changed, args_given=self.args_given and keep)


@field("entrypoint")
async def entrypoint(ctx: Context, self: Container) -> list[str]:
    return list(self.config.entrypoint)


@field("withDefaultArgs")
async def with_default_args(ctx: Context, self: Container, *, args: list[str]) -> Container:
    return replace(self.with_config(default_args=tuple(args)), args_given=True)


@field("withoutDefaultArgs")
async def without_default_args(ctx: Context, self: Container) -> Container:
    return replace(self.with_config(default_args=()), args_given=False)


@field("defaultArgs")
async def default_args(ctx: Context, self: Container) -> list[str]:
    return list(self.config.default_args)


@field("withWorkdir")
async def with_workdir(ctx: Context, self: Container, *, path: str, expand: bool = False) -> Container:
    return self.with_config(workdir=join(self.cwd, expanded(self, path, expand)))


@field("withoutWorkdir")
async def without_workdir(ctx: Context, self: Container) -> Container:
    return self.with_config(workdir="")


@field("workdir")
async def workdir(ctx: Context, self: Container) -> str:
    return self.cwd


@field("withUser")
async def with_user(ctx: Context, self: Container, *, name: str) -> Container:
    return self.with_config(user=name)


@field("withoutUser")
async def without_user(ctx: Context, self: Container) -> Container:
    return self.with_config(user="")


@field("user")
async def user(ctx: Context, self: Container) -> str:
    return self.config.user


@field("withLabel")
async def with_label(ctx: Context, self: Container, *, name: str, value: str) -> Container:
    return self.with_config(labels=with_pair(self.config.labels, name, value))


@field("withoutLabel")
async def without_label(ctx: Context, self: Container, *, name: str) -> Container:
    return self.with_config(labels=without_pair(self.config.labels, name))


@field("label")
async def label(ctx: Context, self: Container, *, name: str) -> str | None:
    return dict(self.config.labels).get(name)


@field("labels")
async def labels(ctx: Context, self: Container) -> list[NameValue]:
    return [NameValue(name, value) for name, value in self.config.labels]


@field("withAnnotation")
async def with_annotation(ctx: Context, self: Container, *, name: str, value: str) -> Container:
    return self.with_config(annotations=with_pair(self.config.annotations, name, value))


@field("withoutAnnotation")
async def without_annotation(ctx: Context, self: Container, *, name: str) -> Container:
    return self.with_config(annotations=without_pair(self.config.annotations, name))


@field("withExposedPort")
async def with_exposed_port(
    ctx: Context,
    self: Container,
    *,
    port: int,
    protocol: str = "TCP",
    description: str | None = None,
    experimentalSkipHealthcheck: bool = False,
) -> Container:
    if not 0 < port < 65_536:
        raise InvalidInput(f"invalid port {port}", reason="port", hint="use a number from 1 to 65535")
    added = Port(port, protocol, description, experimentalSkipHealthcheck)
    return self.with_config(ports=(*_without_port(self, port, protocol), added))


@field("withoutExposedPort")
async def without_exposed_port(ctx: Context, self: Container, *, port: int, protocol: str = "TCP") -> Container:
    return self.with_config(ports=_without_port(self, port, protocol))


@field("exposedPorts")
async def exposed_ports(ctx: Context, self: Container) -> list[Port]:
    return [each for each in self.config.ports if each.protocol in ("TCP", "UDP")]  # the schema knows no other


def _without_port(self: Container, port: int, protocol: str) -> tuple[Port, ...]:
    return tuple(each for each in self.config.ports if (each.port, each.protocol) != (port, protocol))


@field("withDockerHealthcheck")
async def with_docker_healthcheck(
    ctx: Context,
    self: Container,
    *,
    args: list[str],
    shell: bool = False,
    interval: str | None = None,
    timeout: str | None = None,
    startPeriod: str | None = None,
    startInterval: str | None = None,
    retries: int | None = None,
) -> Container:
    check = Healthcheck(
        args=tuple(args),
        shell=shell,
        interval=parse_duration(interval, 0.0),
        timeout=parse_duration(timeout, 0.0),
        start_period=parse_duration(startPeriod, 0.0),
        start_interval=parse_duration(startInterval, 0.0),
        retries=retries or 0,
    )
    return self.with_config(healthcheck=check)


@field("withoutDockerHealthcheck")
async def without_docker_healthcheck(ctx: Context, self: Container) -> Container:
    return self.with_config(healthcheck=None)


@field("dockerHealthcheck")
async def docker_healthcheck(ctx: Context, self: Container) -> Healthcheck | None:
    return self.config.healthcheck


@field("platform")
async def platform(ctx: Context, self: Container) -> str:
    return self.platform


@field("withError")
async def with_error(ctx: Context, self: Container, *, err: str) -> Container:
    return replace(self, error=err) if err else self


@field("withRegistryAuth")
async def with_registry_auth(
    ctx: Context, self: Container, *, address: str, username: str, secret: Secret
) -> Container:
    kept = tuple(each for each in self.registry_auth if each[0] != address)
    return replace(self, registry_auth=(*kept, (address, username, secret)))


@field("withoutRegistryAuth")
async def without_registry_auth(ctx: Context, self: Container, *, address: str) -> Container:
    return replace(self, registry_auth=tuple(each for each in self.registry_auth if each[0] != address))


variable = Fields("EnvVariable")
label_fields = Fields("Label")
port_fields = Fields("Port")
healthcheck_fields = Fields("HealthcheckConfig")


@variable("name")
@label_fields("name")
async def pair_name(ctx: Context, self: NameValue) -> str:
    return self.name


@variable("value")
@label_fields("value")
async def pair_value(ctx: Context, self: NameValue) -> str:
    return self.value


@port_fields("port")
async def port_number(ctx: Context, self: Port) -> int:
    return self.port


@port_fields("protocol")
async def port_protocol(ctx: Context, self: Port) -> str:
    return self.protocol


@port_fields("description")
async def port_description(ctx: Context, self: Port) -> str | None:
    return self.description


@port_fields("experimentalSkipHealthcheck")
async def port_skip(ctx: Context, self: Port) -> bool:
    return self.skip_healthcheck


@healthcheck_fields("args")
async def healthcheck_args(ctx: Context, self: Healthcheck) -> list[str]:
    return list(self.args)


@healthcheck_fields("shell")
async def healthcheck_shell(ctx: Context, self: Healthcheck) -> bool:
    return self.shell


@healthcheck_fields("interval")
async def healthcheck_interval(ctx: Context, self: Healthcheck) -> str:
    return format_duration(self.interval)


@healthcheck_fields("timeout")
async def healthcheck_timeout(ctx: Context, self: Healthcheck) -> str:
    return format_duration(self.timeout)


@healthcheck_fields("startPeriod")
async def healthcheck_start_period(ctx: Context, self: Healthcheck) -> str:
    return format_duration(self.start_period)


@healthcheck_fields("startInterval")
async def healthcheck_start_interval(ctx: Context, self: Healthcheck) -> str:
    return format_duration(self.start_interval)


@healthcheck_fields("retries")
async def healthcheck_retries(ctx: Context, self: Healthcheck) -> int:
    return self.retries
