"""A Dockerfile's text to instructions. BuildKit's own parser splits it; this gives its pieces their meaning."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sealane_engine.dockerfile import heredocs, mounts
from sealane_engine.dockerfile import instructions as ins
from sealane_engine.dockerfile.errors import bad
from sealane_engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


Flags = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class From(ins.Instruction):
    """FROM, before its words are expanded."""

    base: str
    name: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class _Node:
    """What the parser gives: an instruction's word, flags and values."""

    cmd: str
    flags: tuple[str, ...]
    value: tuple[str, ...]
    is_json: bool
    text: str
    line: int
    heredocs: tuple[Any, ...]

    def fail(self, what: str, **more: str) -> NoReturn:
        raise bad(self.line, what, **more)

    def flag_values(self, texts: Flags = (), truths: Flags = (), many: Flags = ()) -> dict[str, list[str]]:
        """Flags by name: those with a text, those that are true or false, those that may be repeated."""
        allowed = (*texts, *truths, *many)
        found: dict[str, list[str]] = {}
        for flag in self.flags:
            name, equals, value = flag.removeprefix("--").partition("=")
            if name not in allowed:
                self.fail(f"unknown flag: --{name}{_suggest(name, allowed, '--')}", reason="dockerfile-unknown-flag")
            if name in found and name not in many:
                self.fail(f"duplicate flag specified: {name}", reason="dockerfile-bad-flag")
            if name in truths:
                value = value.lower() if equals else "true"
                if value not in ("true", "false"):
                    self.fail(f"expecting boolean value for flag {name}, not: {value}", reason="dockerfile-bad-flag")
            elif not equals:
                self.fail(f"missing a value on flag: {name}", reason="dockerfile-bad-flag")
            found.setdefault(name, []).append(value)
        return found

    def one(self, what: str = "exactly one argument") -> str:
        if len(self.value) != 1 or not self.value[0]:
            self.fail(f"{self.cmd} requires {what}")
        return self.value[0]

    def some(self) -> tuple[str, ...]:
        if not self.value or not self.value[0]:
            self.fail(f"{self.cmd} requires at least one argument")
        return self.value

    def pairs(self) -> tuple[tuple[str, str], ...]:
        if not self.value:
            self.fail(f"{self.cmd} requires at least one argument")
        if len(self.value) % 2:
            self.fail(f"{self.cmd} must have two arguments")
        return tuple(zip(self.value[::2], self.value[1::2], strict=True))


def directives(text: str) -> dict[str, str]:
    """The parser directives at the top, by name in lower case."""
    found: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        each = _DIRECTIVE.fullmatch(line.strip())
        if each is None or each[1].lower() not in ("syntax", "escape", "check"):
            break
        found[each[1].lower()] = each[2]
    return found


def escape_of(text: str) -> str:
    """The escape character that the directives choose."""
    return "`" if directives(text).get("escape") == "`" else "\\"


def parse(text: str) -> tuple[ins.Instruction, ...]:
    """The instructions of a Dockerfile. Raises InvalidInput with the line."""
    return tuple(instruction(node) for node in _nodes(text))


def instruction(node: _Node) -> ins.Instruction:
    make = _MAKERS.get(node.cmd)
    if make is None:
        node.fail(
            f"unknown instruction: {node.cmd}{_suggest(node.cmd, tuple(_MAKERS))}",
            reason="dockerfile-unknown-instruction",
        )
    if node.flags and node.cmd not in _WITH_FLAGS:
        node.flag_values()
    return make(node)


def _nodes(text: str) -> list[_Node]:
    try:
        import dockerfile
    except ImportError as error:
        raise HostError(
            "a Dockerfile can't be parsed here: the package `dockerfile` is not installed",
            reason="no-dockerfile-parser",
            hint="pip install dockerfile",
        ) from error
    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        what = str(error)
        if "no instructions" in what or not text.strip():
            raise bad(1, "file with no instructions", reason="dockerfile-empty") from error
        found = re.search(r"line (\d+): (.*)", what, re.DOTALL)
        raise bad(int(found[1]) if found else _line_of(what, text), (found[2] if found else what).strip()) from error
    lines = text.removeprefix("\ufeff").splitlines()
    return [
        _Node(
            (each.cmd or "").upper(),
            each.flags,
            _values(each, lines),
            each.json,
            each.original,
            each.start_line,
            each.heredocs,
        )
        for each in commands
    ]


def _line_of(what: str, text: str) -> int:
    """The line that the parser complains of without saying so: with it the complaint begins."""
    import dockerfile

    lines = text.splitlines(keepends=True)
    for number in range(1, len(lines) + 1):
        try:
            dockerfile.parse_string("".join(lines[:number]))
        except dockerfile.GoParseError as error:
            if str(error) == what:
                return number
    return len(lines)


def _values(command: Any, lines: list[str]) -> tuple[str, ...]:
    """The values of an instruction; ONBUILD's are its trigger as written, with its here-documents."""
    if (command.cmd or "").upper() != "ONBUILD":
        return tuple(command.value)
    text = command.original
    if "<<" in text:
        text = "\n".join(lines[command.start_line - 1 : command.end_line])
    return (re.sub(r"^\s*ONBUILD\s+", "", text, flags=re.IGNORECASE).strip(),)


def _suggest(word: str, known: tuple[str, ...], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


# ---------------------------------------------------------------- one function for each instruction
def _from(node: _Node) -> From:
    flags, value = node.flag_values(("platform",)), node.value
    if len(value) == 1:
        name = ""
    elif len(value) == 3 and value[1].lower() == "as":
        name = value[2].lower()
        if not re.fullmatch(r"[a-z][a-z0-9_.-]*", name):
            node.fail(f'invalid name for build stage: "{value[2]}", name can\'t start with a number or contain symbols')
    else:
        node.fail("FROM requires either one or three arguments")
    return From(node.line, node.text, value[0], name, flags.get("platform", [""])[-1])


def _arg(node: _Node) -> ins.Arg:
    pairs = []
    for word in node.some():
        name, equals, default = word.partition("=")
        if not name:
            node.fail("ARG names can not be blank")
        pairs.append((name, default if equals else None))
    return ins.Arg(node.line, node.text, tuple(pairs))


def _env(node: _Node) -> ins.Env:
    pairs = node.pairs()
    if any(not name for name, _ in pairs):
        node.fail("ENV names can not be blank")
    return ins.Env(node.line, node.text, pairs)


def _label(node: _Node) -> ins.Label:
    return ins.Label(node.line, node.text, node.pairs())


def _run(node: _Node) -> ins.Run:
    flags = node.flag_values(("network", "security"), many=("mount", "device"))
    if "device" in flags:
        node.fail("RUN --device is not supported: steps are given no devices of the host", reason="unsupported")
    network, security = flags.get("network", [""])[-1], flags.get("security", [""])[-1]
    if network not in ("", "default", "none", "host"):
        node.fail(f"unsupported network mode: {network!r}{_suggest(network, ('default', 'none', 'host'))}")
    if security not in ("", "sandbox", "insecure"):
        node.fail(f"security {security!r} is not valid{_suggest(security, ('sandbox', 'insecure'))}")
    for mount in flags.get("mount", ()):
        if "$" in mounts.source_of(mount):
            node.fail(
                "'from' doesn't support variable expansion, define alias stage instead", reason="dockerfile-bad-mount"
            )
    text = " ".join(node.value)
    return ins.Run(
        node.line,
        node.text,
        node.value if node.is_json else (text,),
        node.is_json,
        tuple(flags.get("mount", ())),
        network,
        security,
        heredocs.read(text, node.heredocs),
    )


def _copy(node: _Node) -> ins.Copy:
    is_add = node.cmd == "ADD"
    flags = node.flag_values(
        ("chown", "chmod", *(("checksum",) if is_add else ("from",))),
        ("link", *(("keep-git-dir", "unpack") if is_add else ("parents",))),
        ("exclude",),
    )
    if len(node.value) < 2:
        node.fail(
            f"{node.cmd} requires at least two arguments, but only one was provided. Destination could not be determined"
        )
    if "$" in flags.get("from", [""])[-1]:
        node.fail(
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope"
            " as a workaround"
        )
    dest, words = node.value[-1], " ".join(node.value[:-1])
    documents = heredocs.read(words, node.heredocs)
    if heredocs.is_alone(dest):
        node.fail(f"{node.cmd} cannot accept a heredoc as a destination")
    unpack = flags.get("unpack", [None])[-1]
    return ins.Copy(
        node.line,
        node.text,
        tuple(heredocs.without(words).split()) if documents else node.value[:-1],
        dest,
        is_add,
        flags.get("from", [""])[-1],
        flags.get("chown", [""])[-1],
        flags.get("chmod", [""])[-1],
        tuple(flags.get("exclude", ())),
        flags.get("parents") == ["true"],
        flags.get("checksum", [""])[-1],
        None if unpack is None else unpack == "true",
        documents,
        flags.get("link") == ["true"],
        flags.get("keep-git-dir") == ["true"],
    )


def _workdir(node: _Node) -> ins.Workdir:
    return ins.Workdir(node.line, node.text, node.one())


def _user(node: _Node) -> ins.User:
    return ins.User(node.line, node.text, node.one())


def _command(node: _Node) -> ins.Command:
    field = "Cmd" if node.cmd == "CMD" else "Entrypoint"
    words = node.value if node.is_json or not node.value else (" ".join(node.value),)
    return ins.Command(node.line, node.text, field, words, node.is_json)


def _shell(node: _Node) -> ins.Shell:
    if not node.is_json:
        node.fail("SHELL requires the arguments to be in JSON form")
    if not node.value:
        node.fail("SHELL requires at least one argument")
    return ins.Shell(node.line, node.text, node.value)


def _expose(node: _Node) -> ins.Expose:
    return ins.Expose(node.line, node.text, node.some())


def _volume(node: _Node) -> ins.Volume:
    if not all(path.strip() for path in node.some()):
        node.fail("VOLUME specified can not be an empty string")
    return ins.Volume(node.line, node.text, node.value)


def _stop_signal(node: _Node) -> ins.StopSignal:
    return ins.StopSignal(node.line, node.text, node.one())


def _healthcheck(node: _Node) -> ins.Healthcheck:
    flags = node.flag_values(("interval", "timeout", "start-period", "start-interval", "retries"))
    kind = node.some()[0].upper()
    if kind == "NONE":
        if len(node.value) > 1:
            node.fail("HEALTHCHECK NONE takes no arguments")
        return ins.Healthcheck(node.line, node.text, ())
    if kind != "CMD":
        node.fail(f"Unknown type {node.value[0]!r} in HEALTHCHECK (try CMD)")
    words, is_exec = _exec_form(node)
    if not words:
        node.fail("Missing command after HEALTHCHECK CMD")
    retries = flags.get("retries", ["0"])[-1]
    if not retries.isdigit():
        node.fail(f"--retries must be a number, not {retries!r}")
    return ins.Healthcheck(
        node.line,
        node.text,
        words,
        is_exec,
        interval=_duration(node, flags, "interval"),
        timeout=_duration(node, flags, "timeout"),
        start_period=_duration(node, flags, "start-period"),
        start_interval=_duration(node, flags, "start-interval"),
        retries=int(retries),
    )


def _exec_form(node: _Node) -> tuple[tuple[str, ...], bool]:
    """The command of a HEALTHCHECK: the parser leaves its JSON to us."""
    rest = " ".join(node.value[1:])
    if node.is_json:
        return node.value[1:], True
    if rest.startswith("["):
        try:
            words = json.loads(rest)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words), True
    return ((rest,) if rest else ()), False


def _duration(node: _Node, flags: dict[str, list[str]], name: str) -> int:
    text = flags.get(name, ["0s"])[-1]
    if text != "0" and not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        node.fail(f"--{name} must be a duration such as 30s, not {text!r}")
    length = sum(int(float(number) * _NANOSECONDS[unit]) for number, unit in _DURATION.findall(text))
    if 0 < length < _NANOSECONDS["ms"]:
        node.fail(f"--{name} cannot be less than 1ms, and it is {text}")
    return length


def _on_build(node: _Node) -> ins.OnBuild:
    trigger = node.one("a trigger")
    word = trigger.split(maxsplit=1)[0].upper()
    if word in ("ONBUILD", "FROM", "MAINTAINER"):
        node.fail(f"{word} isn't allowed as an ONBUILD trigger")
    if word not in _MAKERS:
        node.fail(
            f"unknown instruction: {word}{_suggest(word, tuple(_MAKERS))}", reason="dockerfile-unknown-instruction"
        )
    return ins.OnBuild(node.line, node.text, trigger)


def _maintainer(node: _Node) -> ins.Maintainer:
    return ins.Maintainer(node.line, node.text, " ".join(node.value))


_WITH_FLAGS = frozenset({"FROM", "RUN", "COPY", "ADD", "HEALTHCHECK"})
_MAKERS: dict[str, Callable[[_Node], ins.Instruction]] = {
    "FROM": _from,
    "ARG": _arg,
    "ENV": _env,
    "LABEL": _label,
    "RUN": _run,
    "COPY": _copy,
    "ADD": _copy,
    "WORKDIR": _workdir,
    "USER": _user,
    "CMD": _command,
    "ENTRYPOINT": _command,
    "SHELL": _shell,
    "EXPOSE": _expose,
    "VOLUME": _volume,
    "STOPSIGNAL": _stop_signal,
    "HEALTHCHECK": _healthcheck,
    "ONBUILD": _on_build,
    "MAINTAINER": _maintainer,
}
