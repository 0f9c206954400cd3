"""Runs a script: each pipeline as one chain of calls, asked for when its answer is needed."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING

from sealane.cli.shell import builtins
from sealane.cli.shell.arguments import Reader
from sealane.cli.shell.state import State
from sealane.cli.shell.syntax import (
    Command,
    Definition,
    For,
    Group,
    If,
    Pipeline,
    Script,
    Statement,
    Substitution,
    Text,
    Variable,
    Word,
)
from sealane.cli.wire import literal
from sealane.errors import SealaneError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sealane.cli.schema import Types
    from sealane.cli.wire import Session

    Emit = Callable[[State | str], None]

_TOKEN = re.compile("\0([0-9]+)\0")
_DEPTH = 100


class Exit(Exception):
    """The script asked to end."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Negated(SealaneError):
    """A pipeline after `!` succeeded."""

    reason = "negated"


class Shell:
    """One script's variables and functions. Words carry states as tokens until somebody needs their answers.

    `load` serves another module and answers the types as they are then.
    """

    def __init__(self, session: Session, types: Types, write: Callable[[str], None], load: Callable[[], Types]) -> None:
        self.session = session
        self.types = types
        self.write = write
        self._load = load
        self._variables: dict[str, str] = {}
        self._functions: dict[str, Script] = {}
        self._arguments: tuple[str, ...] = ()
        self._states: list[State] = []
        self._failed: SealaneError | None = None
        self._depth = 0

    def run(self, script: Script) -> int | None:
        """Run a script, printing what each of its pipelines answers; the code of `.exit`, if it ended so.

        Raises what ended it: SealaneError, by a pipeline that failed or a word that makes no sense.
        """
        try:
            self._script(script, lambda value: self.write(self.text(value)))
        except Exit as ended:
            return ended.code
        return None

    # ---- structure

    def _script(self, script: Script, emit: Emit) -> None:
        self._failed = None
        for statement in script.statements:
            self._statement(statement, emit)
        if self._failed is not None:
            raise self._failed

    def _statement(self, statement: Statement, emit: Emit) -> None:
        """A pipeline that fails ends the script, unless `&&` or `||` follows it."""
        parts = (("", statement.first), *statement.rest)
        failed: SealaneError | None = None
        for number, (operator, pipeline) in enumerate(parts):
            if operator and (operator == "&&") != (failed is None):
                continue
            failed = self._attempt(pipeline, emit)
            if failed is not None and number == len(parts) - 1 and not isinstance(failed, Negated):
                raise failed
        self._failed = failed

    def _attempt(self, pipeline: Pipeline, emit: Emit) -> SealaneError | None:
        try:
            self._pipeline(pipeline, emit)
        except SealaneError as error:
            return None if pipeline.negated else error
        return Negated("the pipeline after ! succeeded") if pipeline.negated else None

    def _pipeline(self, pipeline: Pipeline, emit: Emit) -> None:
        given: State | str | None = None
        for command in pipeline.commands[:-1]:
            given = self._collected(partial(self._command, command, given))
        self._command(pipeline.commands[-1], given, emit)

    def _command(self, command: Command | If | For | Group | Definition, given: State | str | None, emit: Emit) -> None:
        match command:
            case Command():
                self._simple(command, given, emit)
            case Group():
                self._script(command.body, emit)
            case Definition():
                self._functions[command.name] = command.body
            case For():
                for word in [text for each in command.words for text in self._expanded(each)]:
                    self._variables[command.name] = word
                    self._script(command.body, emit)
            case If():
                for condition, body in command.branches:
                    if self._holds(condition):
                        self._script(body, emit)
                        return
                self._script(command.otherwise, emit)

    def _holds(self, condition: Script) -> bool:
        try:
            self._script(condition, lambda value: self.write(self.text(value)))
        except SealaneError:
            return False
        return True

    # ---- commands

    def _simple(self, command: Command, given: State | str | None, emit: Emit) -> None:
        before = dict(self._variables)
        for name, word in command.assignments:
            self._variables[name] = self._joined(word)
        words = [text for word in command.words for text in self._expanded(word)]
        if not words:
            return
        try:
            self._named(words[0], words[1:], given, emit)
        finally:
            if command.assignments:
                self._variables = before

    def _named(self, name: str, words: list[str], given: State | str | None, emit: Emit) -> None:
        state = self.state_of(name)
        if state is not None:
            emit(state)
        elif name in self._functions:
            self._function(name, words, emit)
        elif (builtin := builtins.find(name)) is not None:
            builtin(self, [self.filled(word) for word in words], given, emit)
        elif given is None:
            emit(self._first(self.filled(name), words))
        elif isinstance(given, State):
            emit(self._then(given, name, words))
        else:
            raise UsageError(f"unexpected input for command {name!r}: {given[:60]!r}", reason="unexpected-input")

    def _function(self, name: str, words: list[str], emit: Emit) -> None:
        if self._depth >= _DEPTH:
            raise UsageError(f"the function {name!r} calls itself too often", reason="shell-depth")
        before, self._arguments = self._arguments, tuple(words)
        self._depth += 1
        try:
            self._script(self._functions[name], emit)
        finally:
            self._depth -= 1
            self._arguments = before

    def _first(self, name: str, words: list[str]) -> State:
        """The first command of a pipeline: a function of the module or of Dagger, or a module by its path."""
        if self.types.root.function(name) is not None:
            return self._then(State(), name, words)
        if not ("/" in name or name.startswith(".") or os.path.isdir(name)):  # noqa: PTH112 - a word, not a path yet
            raise UsageError(
                f"function or module {name!r} not found",
                reason="unknown-function",
                hint="`.help` lists the functions that there are.",
            )
        served = self.session.query(f"query{{moduleSource(refString:{literal(name)}){{asModule{{name serve}}}}}}")
        self.types = self._load()
        return self._then(State(), served["moduleSource"]["asModule"]["name"], words)

    def _then(self, state: State, name: str, words: list[str]) -> State:
        function = state.function(self.types, name)
        reader = Reader(self.types, self.session, state=self.state_of, text=self.filled)
        return state.call(function, reader.read(function, words))

    # ---- words

    def _joined(self, word: Word) -> str:
        """A word as one text, as an assignment takes it."""
        return "".join(text for part in word.parts for text in self._part(part))

    def _expanded(self, word: Word) -> Iterator[str]:
        """A word as the texts that it stands for: what isn't quoted is split at blanks."""
        fields, keep = [""], False
        for part in word.parts:
            texts = self._part(part)
            if not isinstance(part, Text) and not part.quoted:
                texts = re.split(r"[ \t\n]+", " ".join(texts))
            else:
                keep = keep or bool(texts)
            if texts:
                fields = [*fields[:-1], fields[-1] + texts[0], *texts[1:]]
        yield from (field for field in fields if field or (keep and len(fields) == 1))

    def _part(self, part: Text | Variable | Substitution) -> list[str]:
        match part:
            case Text():
                return [part.text]
            case Substitution():
                value = self._collected(partial(self._script, part.script))
                return [self._token(value) if isinstance(value, State) else value.rstrip("\n")]
            case Variable(name="@"):
                return list(self._arguments)
            case Variable(name="#"):
                return [str(len(self._arguments))]
            case Variable(name="?"):
                return [str(self._failed.exit_code) if self._failed is not None else "0"]
        if part.name.isdecimal():
            number = int(part.name)
            found = self._arguments[number - 1] if 0 < number <= len(self._arguments) else None
        else:
            found = self._variables.get(part.name, os.environ.get(part.name))
        if not found and part.default is not None:
            return [self._joined(part.default)]
        if found is None:
            raise UsageError(f"{part.name}: unbound variable", reason="unbound-variable")
        return [found]

    # ---- states

    def _collected(self, run: Callable[[Emit], None]) -> State | str:
        found: list[State | str] = []
        run(found.append)
        if len(found) == 1:
            return found[0]
        return "".join(self.text(each) for each in found)

    def _token(self, state: State) -> str:
        self._states.append(state)
        return f"\0{len(self._states) - 1}\0"

    def state_of(self, text: str) -> State | None:
        """The state that a text is the token of, if it is nothing else."""
        found = _TOKEN.fullmatch(text)
        return self._states[int(found[1])] if found else None

    def filled(self, text: str) -> str:
        """A text with the answers of the states in it."""
        return _TOKEN.sub(lambda found: self.text(self._states[int(found[1])]).rstrip("\n"), text)

    def text(self, value: State | str) -> str:
        return value.text(self.types, self.session) if isinstance(value, State) else value

    def variables(self) -> dict[str, str]:
        return {**os.environ, **{name: self.filled(value) for name, value in self._variables.items()}}

    def reload(self) -> None:
        """Read the types of the session again."""
        self.types = self._load()
