"""Carry out a planned Dockerfile: words are expanded and configurations kept here; a builder makes root file systems."""

from __future__ import annotations

import asyncio
import posixpath
import re
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic

from sealane_engine.dockerfile import heredocs, parse
from sealane_engine.dockerfile import instructions as ins
from sealane_engine.dockerfile import mounts as run_mounts
from sealane_engine.dockerfile.builder import Builder, CopyStep, RunStep, S
from sealane_engine.dockerfile.errors import bad
from sealane_engine.dockerfile.plan import find_source, find_stage, needed, platform_arguments
from sealane_engine.dockerfile.sources import is_git
from sealane_engine.dockerfile.words import WordError, expand, expand_document, expand_words
from sealane_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SHELL = ("/bin/sh", "-c")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_URL = re.compile(r"https?://")
_LAST_SIGNAL = 64
# Arguments that are there without ARG, because whoever builds sets them for every Dockerfile.
_PROXIES = tuple(
    each
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for each in (name, name.upper())
)


@dataclass(frozen=True, slots=True)
class Built(Generic[S]):
    """What a Dockerfile gives: a root, the `config` of its image, its platform, who wrote it (MAINTAINER)."""

    state: S
    config: Mapping[str, Any]
    platform: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    author: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of a build says. `target` "" is the last stage (see `plan.find_target` for its index)."""

    build_args: Mapping[str, str] = field(default_factory=dict)
    build_platform: str = "linux/amd64"
    target_platform: str = "linux/amd64"


async def build(builder: Builder[S], planned: ins.Plan, target: int, options: Options) -> Built[S]:
    """Build the stage `target` and the stages it needs, nothing else.

    Raises InvalidInput with the line for what only shows now (a variable that must be set, a bad mount).
    """
    return await _Build(builder, planned, options).target(target)


class _Build(Generic[S]):
    """The stages of one build: each is a task, made when somebody first wants it."""

    def __init__(self, builder: Builder[S], planned: ins.Plan, options: Options) -> None:
        self.builder, self.plan, self.options = builder, planned, options
        self.stages: dict[int, asyncio.Task[Built[S]]] = {}
        self.images: dict[tuple[str, str], asyncio.Task[tuple[S, Mapping[str, Any]]]] = {}
        self.waits: dict[int, set[int]] = {}

    async def target(self, target: int) -> Built[S]:
        try:
            for index in needed(self.plan, target):  # side by side
                self._stage(index)
            return await asyncio.shield(self._stage(target))
        finally:
            tasks = (*self.stages.values(), *self.images.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _stage(self, index: int) -> asyncio.Task[Built[S]]:
        if index not in self.stages:
            self.stages[index] = asyncio.ensure_future(_Stage(self, self.plan.stages[index]).build())
        return self.stages[index]

    async def _wanted(self, index: int, by: ins.Stage) -> Built[S]:
        self.waits.setdefault(by.index, set()).add(index)
        if self._leads(index, by.index):
            raise bad(
                by.line, f"circular dependency detected on stage: {by.name or by.index}", reason="dockerfile-circular"
            )
        return await asyncio.shield(self._stage(index))

    def _leads(self, start: int, end: int) -> bool:
        """Whether a stage waits for another, however long the way."""
        seen, todo = set(), [start]
        while todo:
            index = todo.pop()
            if index == end:
                return True
            if index not in seen:
                seen.add(index)
                todo.extend(self.waits.get(index, ()))
        return False

    def _image(self, ref: str, platform: str) -> asyncio.Task[tuple[S, Mapping[str, Any]]]:
        task = self.images.get((ref, platform))
        if task is None:
            task = self.images[ref, platform] = asyncio.ensure_future(_await(self.builder, ref, platform))
        return task

    async def base(self, stage: ins.Stage) -> Built[S]:
        index = find_stage(self.plan, stage.base, stage.index)
        if index is not None:
            return await self._wanted(index, stage)
        platform = stage.platform or self.options.target_platform
        if stage.base == "scratch":
            return Built(await self.builder.scratch(platform), {}, platform)
        state, config = await self._shared(stage.base, platform, f"line {stage.line} of the Dockerfile")
        return Built(state, config, platform)

    async def source(self, name: str, stage: ins.Stage, line: int) -> S:
        """The root of a stage, or of an image, that COPY --from or a mount names."""
        index = find_source(self.plan, name, stage.index)
        if index == stage.index or (index is None and name.isdigit()):
            raise bad(line, f"invalid from flag value {name}: no other stage has it", reason="dockerfile-no-stage")
        if index is not None:
            return (await self._wanted(index, stage)).state
        if name == "scratch":
            return await self.builder.scratch(self.options.target_platform)
        return (await self._shared(name, self.options.target_platform, f"line {line} of the Dockerfile"))[0]

    async def _shared(self, ref: str, platform: str, where: str) -> tuple[S, Mapping[str, Any]]:
        """An image that several stages may want; the first of them is named when it can't be had."""
        task = self._image(ref, platform)
        try:
            return await asyncio.shield(task)
        except EngineError as error:
            if "of the Dockerfile: " not in error.message:
                error.message = f"{where}: {error.message}"
            raise


async def _await(builder: Builder[S], ref: str, platform: str) -> tuple[S, Mapping[str, Any]]:
    return await builder.image(ref, platform)


class _Stage(Generic[S]):
    """One stage while it is built: its root, its configuration, its arguments."""

    def __init__(self, build: _Build[S], stage: ins.Stage) -> None:
        self.build_, self.stage = build, stage
        self.state: S
        self.config: dict[str, Any] = {}
        self.env: dict[str, str] = {}
        self.platform = self.author = ""
        self.arguments: dict[str, str] = {}
        self.ran_command = False

    async def build(self) -> Built[S]:
        base = await self.build_.base(self.stage)
        self.state, self.config, self.platform = base.state, dict(base.config), base.platform
        self.author = base.author
        self.env = dict(each.partition("=")[::2] for each in self.config.get("Env") or ())
        if not self.env and self.stage.base == "scratch":
            self.env["PATH"] = DEFAULT_PATH
        proxies = {name: value for name, value in self.build_.options.build_args.items() if name in _PROXIES}
        self.arguments = {**proxies, **base.arguments}
        triggers = self.config.pop("OnBuild", None) or ()
        for trigger in triggers:
            for each in parse.parse(trigger):
                await self._do(replace(each, line=self.stage.line))
        for each in self.stage.instructions:
            await self._do(each)
        self.config["Env"] = [f"{name}={value}" for name, value in self.env.items()]
        return Built(self.state, self.config, self.platform, self.arguments, self.author)

    async def _do(self, each: ins.Instruction) -> None:
        match each:
            case ins.Run():
                await self._run(each)
            case ins.Copy():
                await self._copy(each)
            case ins.Workdir():
                path = posixpath.join(self._cwd(), self._word(each.path, each))
                self.config["WorkingDir"] = _absolute(path)
                owner = str(self.config.get("User") or "")
                self.state = await self.build_.builder.make_directory(self.state, _absolute(path), owner)
            case _:
                self._configure(each)

    def _configure(self, each: ins.Instruction) -> None:
        match each:
            case ins.Arg():
                self._declare(each)
            case ins.Env():
                # All values are expanded before any is set: `ENV a=1 b=$a` sees the earlier a.
                self.env |= [(self._word(name, each), self._word(value, each)) for name, value in each.pairs]
            case ins.Label():
                labels = {self._word(name, each): self._word(value, each) for name, value in each.pairs}
                self.config["Labels"] = {**(self.config.get("Labels") or {}), **labels}
            case ins.User():
                self.config["User"] = self._word(each.user, each)
            case ins.Command():
                self._command(each)
            case ins.Shell():
                self.config["Shell"] = list(each.words)
            case ins.Expose():
                ports: dict[str, Any] = {
                    port: {} for word in each.ports for port in _ports(self._words(word, each), each)
                }
                self.config["ExposedPorts"] = {**(self.config.get("ExposedPorts") or {}), **ports}
            case ins.Volume():
                volumes: dict[str, Any] = {self._word(path, each): {} for path in each.paths}
                self.config["Volumes"] = {**(self.config.get("Volumes") or {}), **volumes}
            case ins.StopSignal():
                self.config["StopSignal"] = _signal(self._word(each.signal, each), each)
            case ins.Healthcheck():
                self.config["Healthcheck"] = _healthcheck(each)
            case ins.OnBuild():
                self.config["OnBuild"] = [*(self.config.get("OnBuild") or ()), each.trigger]
            case ins.Maintainer():
                self.author = each.name

    def _declare(self, each: ins.Arg) -> None:
        options = self.build_.options
        automatic = platform_arguments(options.build_platform, options.target_platform)
        for word, default in each.pairs:
            name = self._word(word, each)
            value = options.build_args.get(name)
            if value is None and default is not None:
                value = self._word(default, each)
            if value is None:
                value = dict(self.build_.plan.arguments).get(name, automatic.get(name))
            if value is not None:
                self.arguments[name] = value

    def _command(self, each: ins.Command) -> None:
        words = list(each.words) if each.is_exec or not each.words else [*self._shell(), *each.words]
        self.config[each.field] = words
        if each.field == "Cmd":
            self.ran_command = True
        elif not self.ran_command:  # the command of a base belongs to the base's entrypoint
            self.config.pop("Cmd", None)

    # -------------------------------------------------------------- RUN
    async def _run(self, each: ins.Run) -> None:
        mounts, sources = [], {}
        for index, text in enumerate(each.mounts):
            try:
                mount = run_mounts.parse(text, lambda word: self._word(word, each))
            except ValueError as error:
                raise bad(each.line, f"{text}: {error}", reason="dockerfile-bad-mount") from error
            if mount.from_:
                sources[index] = await self.build_.source(mount.from_, self.stage, each.line)
            mounts.append(
                replace(mount, target=_absolute(posixpath.join(self._cwd(), mount.target)) if mount.target else "")
            )
        args, script = self._command_line(each)
        step = RunStep(
            args=args,
            env=tuple({**self.arguments, **self.env}.items()),
            cwd=self._cwd(),
            user=str(self.config.get("User") or ""),
            mounts=tuple(mounts),
            sources=sources,
            network=each.network,
            security=each.security,
            script=script,
            line=each.line,
            text=each.text,
        )
        self.state = await self.build_.builder.run(self.state, step, self.platform)

    def _command_line(self, each: ins.Run) -> tuple[tuple[str, ...], tuple[str, str] | None]:
        if each.is_exec:
            return each.words, None
        text = each.words[0]
        if not each.heredocs:
            return (*self._shell(), text), None
        first = each.heredocs[0]
        if len(each.heredocs) == 1 and heredocs.is_alone(text):
            if first.content.startswith("#!"):
                path = f"/dev/pipes/{first.name}"
                return (path,), (path, first.content)
            return (*self._shell(), first.content), None
        documents = "".join(f"\n{document.content}{document.name}" for document in each.heredocs)
        return (*self._shell(), f"{text}{documents}\n"), None

    # -------------------------------------------------------------- COPY and ADD
    async def _copy(self, each: ins.Copy) -> None:
        source = await self.build_.source(each.stage, self.stage, each.line) if each.stage else None
        dest = self._word(each.dest, each)
        directory = dest.endswith(("/", "/.")) or dest == "."
        absolute = _absolute(posixpath.join(self._cwd(), dest))
        words = [self._word(word, each) for word in each.sources]
        urls = self._addresses(words, each)
        paths = tuple(_source(word, parents=each.parents) for word in words if word not in urls)
        files = tuple(
            (doc.name, self._document(doc.content, each) if doc.expand else doc.content) for doc in each.heredocs
        )
        if len(words) + len(files) > 1 and not directory:
            raise bad(
                each.line,
                f"When using {'ADD' if each.is_add else 'COPY'} with more than one source file, the destination must be a directory and end with a /",
            )
        step = CopyStep(
            source=source,
            paths=paths,
            dest=f"{absolute.rstrip('/')}/" if directory else absolute,
            owner=self._word(each.owner, each),
            mode=self._word(each.mode, each),
            exclude=tuple(self._word(word, each) for word in each.exclude),
            parents=each.parents,
            unpack=(each.is_add and not urls) if each.unpack is None else each.unpack,
            files=files,
            urls=urls,
            keep_git=each.keep_git,
            checksum=self._word(each.checksum, each),
            link=each.link,
            line=each.line,
            text=each.text,
        )
        self.state = await self.build_.builder.copy(self.state, step)

    def _addresses(self, words: list[str], each: ins.Copy) -> tuple[str, ...]:
        """The sources of an ADD that come from the network."""
        name = "ADD" if each.is_add else "COPY"
        urls = tuple(word for word in words if _URL.match(word) or is_git(word))
        if urls and not each.is_add:
            kind = "git ref" if is_git(urls[0]) else "URL"
            raise bad(each.line, f"source can't be a {kind} for {name}: {urls[0]}")
        if each.checksum and len(words) != 1:
            raise bad(each.line, "checksum can't be specified for multiple sources")
        if each.checksum and not urls:
            raise bad(each.line, "checksum requires HTTP(S) or Git sources")
        return urls

    # -------------------------------------------------------------- words
    def _cwd(self) -> str:
        return str(self.config.get("WorkingDir") or "/")

    def _shell(self) -> tuple[str, ...]:
        return tuple(self.config.get("Shell") or DEFAULT_SHELL)

    def _word(self, text: str, each: ins.Instruction) -> str:
        try:
            return expand(text, {**self.arguments, **self.env}, self.build_.plan.escape)
        except WordError as error:
            raise bad(each.line, f"failed to process {text!r}: {error}", reason="dockerfile-bad-word") from error

    def _words(self, text: str, each: ins.Instruction) -> list[str]:
        try:
            return expand_words(text, {**self.arguments, **self.env}, self.build_.plan.escape)
        except WordError as error:
            raise bad(each.line, f"failed to process {text!r}: {error}", reason="dockerfile-bad-word") from error

    def _document(self, text: str, each: ins.Instruction) -> str:
        try:
            return expand_document(text, {**self.arguments, **self.env}, self.build_.plan.escape)
        except WordError as error:
            raise bad(each.line, f"failed to process a here-document: {error}", reason="dockerfile-bad-word") from error


def _ports(words: list[str], each: ins.Instruction) -> list[str]:
    ports = []
    for word in words:
        found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", word.lower())
        if found is None:
            raise bad(each.line, f"invalid containerPort: {word}")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last <= 65_535:
            raise bad(each.line, f"invalid containerPort: {word}")
        ports += [f"{port}/{found[3] or 'tcp'}" for port in range(first, last + 1)]
    return ports


def _healthcheck(each: ins.Healthcheck) -> dict[str, Any]:
    if not each.words:
        return {"Test": ["NONE"]}
    check: dict[str, Any] = {"Test": ["CMD" if each.is_exec else "CMD-SHELL", *each.words]}
    times = {
        "Interval": each.interval,
        "Timeout": each.timeout,
        "StartPeriod": each.start_period,
        "StartInterval": each.start_interval,
        "Retries": each.retries,
    }
    return check | {name: value for name, value in times.items() if value}


def _signal(text: str, each: ins.Instruction) -> str:
    name = text.upper().removeprefix("SIG")
    real_time = re.fullmatch(r"RTM(?:IN(?:\+\d+)?|AX(?:-\d+)?)", name)
    known = text.isdigit() and 0 < int(text) <= _LAST_SIGNAL
    if not (known or real_time or hasattr(signal.Signals, f"SIG{name}")):
        raise bad(each.line, f"invalid signal: {text}", hint="name one as SIGTERM, or give its number")
    return text


def _absolute(path: str) -> str:
    return "/" + posixpath.normpath(f"/{path}").lstrip("/")


def _source(word: str, *, parents: bool) -> str:
    """A source as `CopyStep.paths` has it."""
    above, pivot, rest = word.partition("/./") if parents else (word, "", "")
    if not pivot or _relative(above) == ".":
        return _relative(word)
    return f"{_relative(above)}/./{_relative(rest)}"


def _relative(path: str) -> str:
    """A source's path below its root; `..` stops there."""
    return _absolute(path).lstrip("/") or "."
