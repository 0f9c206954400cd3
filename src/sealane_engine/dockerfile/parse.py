"""A Dockerfile's text to instructions. BuildKit's own parser splits it; this gives its pieces their meaning."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sealane_engine.dockerfile import instructions as ins
from sealane_engine.dockerfile.errors import bad
from sealane_engine.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_HEREDOC = re.compile(r"\d*<<(-?)\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\2")
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


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

    def flag_values(self, *allowed: str) -> dict[str, list[str]]:
        """Flags by name; one that isn't allowed is an error."""
        found: dict[str, list[str]] = {}
        for flag in self.flags:
            name, equals, value = flag.removeprefix("--").partition("=")
            if name not in allowed:
                self.fail(f"unknown flag: --{name}{_suggest(name, allowed, '--')}", reason="dockerfile-unknown-flag")
            found.setdefault(name, []).append(value if equals else "true")
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


def escape_of(text: str) -> str:
    """The escape character that the directives at the top choose."""
    for line in text.removeprefix("\ufeff").splitlines():
        found = _DIRECTIVE.fullmatch(line.strip())
        if found is None:
            break
        if found[1].lower() == "escape" and found[2] in ("`", "\\"):
            return found[2]
    return "\\"


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
        raise bad(int(found[1]) if found else 1, (found[2] if found else what).strip()) from error
    return [
        _Node(each.cmd.upper(), each.flags, _values(each), each.json, each.original, each.start_line, each.heredocs)
        for each in commands
    ]


def _values(command: Any) -> tuple[str, ...]:
    """The values of an instruction; ONBUILD's are its trigger as written."""
    if command.cmd.upper() == "ONBUILD":
        return (re.sub(r"^\s*ONBUILD\s+", "", command.original, flags=re.IGNORECASE).strip(),)
    return tuple(command.value)


def _suggest(word: str, known: tuple[str, ...], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


# ---------------------------------------------------------------- one function for each instruction
def _from(node: _Node) -> From:
    flags, value = node.flag_values("platform"), node.value
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
    flags = node.flag_values("mount", "network", "security")
    return ins.Run(
        node.line,
        node.text,
        node.value if node.is_json else (" ".join(node.value),),
        node.is_json,
        tuple(flags.get("mount", ())),
        flags.get("network", [""])[-1],
        flags.get("security", [""])[-1],
        _heredocs(node, " ".join(node.value)),
    )


def _copy(node: _Node) -> ins.Copy:
    is_add = node.cmd == "ADD"
    common = ("chown", "chmod", "link", "exclude")
    flags = node.flag_values(*common, *(("checksum", "keep-git-dir", "unpack") if is_add else ("from", "parents")))
    if len(node.value) < 2:
        node.fail(
            f"{node.cmd} requires at least two arguments, but only one was provided. Destination could not be determined"
        )
    heredocs = _heredocs(node, " ".join(node.value[:-1]))
    sources = tuple(word for word in node.value[:-1] if not (heredocs and _HEREDOC.fullmatch(word)))
    unpack = flags.get("unpack", [None])[-1]
    return ins.Copy(
        node.line,
        node.text,
        sources,
        node.value[-1],
        is_add,
        flags.get("from", [""])[-1],
        flags.get("chown", [""])[-1],
        flags.get("chmod", [""])[-1],
        tuple(flags.get("exclude", ())),
        flags.get("parents", ["false"])[-1] == "true",
        flags.get("checksum", [""])[-1],
        None if unpack is None else unpack == "true",
        heredocs,
    )


def _heredocs(node: _Node, words: str) -> tuple[ins.Heredoc, ...]:
    """The here-documents; the parser keeps neither `<<-` nor the quotes of a delimiter, the words do."""
    marks = {found[3]: (found[1] == "-", bool(found[2])) for found in _HEREDOC.finditer(words)}
    made = []
    for each in node.heredocs:
        chomp, quoted = marks.get(each.name, (False, False))
        content = re.sub(r"(?m)^\t+", "", each.content) if chomp else each.content
        made.append(ins.Heredoc(each.name, content, not quoted))
    return tuple(made)


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
    flags = node.flag_values("interval", "timeout", "start-period", "start-interval", "retries")
    kind = node.some()[0].upper()
    if kind == "NONE":
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
    return sum(int(float(number) * _NANOSECONDS[unit]) for number, unit in _DURATION.findall(text))


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
