"""The stage build: the project's Dockerfile into an OCI image, which is started and must answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import dagger
from dagger import dag

from sealane.attest import metadata, packed
from sealane.stages import dockerfile, started, steps
from sealane.stages.result import Outcome, StageResult, not_run

if TYPE_CHECKING:
    from sealane.stages.project import Project

NAME = "build"
ALIAS = "app"
TARBALL = "image.tar"
_LOGS = f"logs/{NAME}"
_DIAGNOSE_SECONDS = 10
_GRACE_SECONDS = 60  # for what isn't the image's own doing: the databases beside it start too


async def nothing_to_do(project: Project) -> str:
    return "" if project.has(project.config.build.dockerfile) else f"no {project.config.build.dockerfile}"


async def image(project: Project, platform: str = "") -> dagger.Container:
    """The image of a platform with its labels: of the first that is configured, else of the engine's own."""
    build = project.config.build
    declared = dockerfile.arguments(await project.source.file(build.dockerfile).contents())
    values = metadata.arguments(project.context, declared, build.args)
    if not build.reproducible:
        values.setdefault("SOURCE_DATE_EPOCH", "")
    arguments = [dagger.BuildArg(name=name, value=value) for name, value in values.items()]
    wanted = platform or next(iter(build.platforms), "")
    built = project.source.docker_build(
        dockerfile=build.dockerfile,
        target=build.target,
        build_args=arguments,
        platform=dagger.Platform(wanted) if wanted else None,
    )
    for name, value in metadata.labels(project.config.publish, project.pyproject, project.context).items():
        built = built.with_label(name, value).with_annotation(name, value)
    return built


async def images(project: Project) -> tuple[dagger.Container, ...]:
    """The image of each platform."""
    return tuple([await image(project, each) for each in project.config.build.platforms or ("",)])


def tarball(*built: dagger.Container) -> dagger.File:
    """The image, or the index of several platforms', as an OCI layout in a tar. Its layers are not compressed: the bytes
    then depend on no compressor.
    """
    plain = dagger.ImageLayerCompression.Uncompressed
    if len(built) == 1:
        return built[0].as_tarball(forced_compression=plain)
    return dag.container().as_tarball(platform_variants=list(built), forced_compression=plain)


async def run(project: Project) -> StageResult:
    nothing = await nothing_to_do(project)
    if nothing:
        return not_run(NAME, nothing)
    try:
        built = await steps.concurrently(*(each.sync for each in await images(project)))
    except dagger.QueryError as error:
        return _cannot_build(error)
    facts = dockerfile.read(
        await project.source.file(project.config.build.dockerfile).contents(), project.config.build.target
    )
    archive = tarball(*built)
    report = dag.directory()
    if project.config.build.tarball:
        report = report.with_file(TARBALL, archive)
    size = await archive.size()
    outputs = await _outputs(project)
    figures = {"image bytes": size}
    notes: list[str] = []
    for platform, each in zip(project.config.build.platforms or ("",), built, strict=True):
        named = f"{platform}: " if len(built) > 1 else ""
        wrong, said = await _try(each, project, facts)
        if wrong:
            log = await _diagnose(each, project)
            report = report.with_new_file(f"{_LOGS}/{ALIAS}.txt", log + "\n")
            end = [f"the image's log:\n{steps.last_lines(log)}"] if log else []
            reasons = (*notes, *end)
            return StageResult(NAME, Outcome.FAILED, named + wrong, report=report, notes=reasons, figures=figures)
        notes.append(named + said)
    return StageResult(
        NAME, Outcome.RAN, report=report, notes=tuple(notes), figures=figures, image=built[0], outputs=outputs
    )


async def _outputs(project: Project) -> dict[str, str]:
    """What comes after may want to know: the digest that publishing would push, and its tags."""
    digest = (await packed.read(await images(project))).top.digest
    found = {"digest": digest, "tags": " ".join(metadata.tags(project.context))}
    return {name: value for name, value in found.items() if value}


def _cannot_build(error: dagger.QueryError) -> StageResult:
    log = steps.log_of(error)
    report = dag.directory().with_new_file(f"{_LOGS}/build.txt", log + "\n")
    reason = steps.reason_of(error)
    if steps.offline(log):
        return not_run(NAME, reason, broken=True, report=report)
    notes = (f"the end of the build's log:\n{steps.last_lines(log)}",) if isinstance(error, dagger.ExecError) else ()
    return StageResult(NAME, Outcome.FAILED, reason, report=report, notes=notes)


def not_started(project: Project, facts: dockerfile.Facts) -> str:
    """Why the image is not started; empty when it is."""
    build = project.config.build
    if build.start is False:
        return "not started (`build.start` is false)"
    if build.start or build.health or facts.healthcheck or facts.ports:
        return ""
    return "not started (no HEALTHCHECK, no EXPOSE, no `build.health`)"


async def _try(built: dagger.Container, project: Project, facts: dockerfile.Facts) -> tuple[str, str]:
    """Start the image and ask it. Answers what is wrong (empty when nothing is) and what it said."""
    build = project.config.build
    if why := not_started(project, facts):
        return "", f"built; {why}"
    url = facts.healthcheck.url if facts.healthcheck else None
    port = started.port(project, facts)
    path = build.health if build.health is not None else (url[1] if url else "")
    service = started.service(built, project, facts, NAME)
    probe = steps.python().with_new_file("/sealane/probe.py", steps.script("probe.py"))
    probe = probe.with_service_binding(ALIAS, service)
    command = ["python", "/sealane/probe.py", ALIAS, str(port), path, str(build.timeout)]
    if port is None:
        command = ["true"]  # nothing to ask but its own health check, which comes before this
    limit = build.timeout * 2 + _GRACE_SECONDS
    try:
        with anyio.fail_after(limit):
            done = await steps.attempt(probe, command)
    except TimeoutError:
        return f"the image did not become healthy within {limit} s", ""
    except dagger.QueryError as error:
        return f"the image did not become healthy: {_why(error)}", ""
    if done.exit_code:
        return f"the image did not become healthy: {steps.last_lines(done.output, 1)}", ""
    return "", f"started and healthy ({steps.last_lines(done.stdout, 1) or 'its health check passed'})"


def _why(error: dagger.QueryError) -> str:
    if isinstance(error, dagger.ExecError):
        command = " ".join(error.command[:6])
        said = steps.last_lines(error.stderr or error.stdout, 1)
        return f"`{command}` exited with {error.exit_code}: {said}" if said else f"`{command}`: {error}"
    return steps.reason_of(error)


async def _diagnose(built: dagger.Container, project: Project) -> str:
    """What the image says when it runs as a step: a service's output is not part of the API."""
    try:
        command = [*await built.entrypoint(), *await built.default_args()]
        args = ["timeout", "-k", "2", str(_DIAGNOSE_SECONDS), *command]
        with anyio.fail_after(_DIAGNOSE_SECONDS + _GRACE_SECONDS):
            return (await steps.attempt(started.beside(built, project, NAME), args)).output
    except (dagger.QueryError, TimeoutError) as error:
        return steps.log_of(error)
