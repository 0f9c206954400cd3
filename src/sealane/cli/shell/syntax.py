"""The shell's language: a script as pipelines of commands, read from POSIX shell syntax.

What is understood: words with quotes, variables (`$x`, `${x}`, `${x:-default}`, `$1`, `$@`) and `$(…)`; `|`, `&&`, `||`,
`!`, `;`; assignments; `if`, `for`, functions and `{ … }`. Anything else of a shell is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from sealane.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@#?]")
_ENDS = frozenset(" \t\n;|&()<>")
_RESERVED = frozenset(("then", "elif", "else", "fi", "do", "done", "}"))
_REFUSED = frozenset(("while", "until", "case", "select", "function", "[[", "time", "coproc"))


@dataclass(frozen=True, slots=True)
class Text:
    """Characters as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    quoted: bool
    default: Word | None = None


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(…)`: what the script in it answers."""

    script: Script
    quoted: bool


@dataclass(frozen=True, slots=True)
class Word:
    parts: tuple[Text | Variable | Substitution, ...]


@dataclass(frozen=True, slots=True)
class Command:
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple[Script, Script], ...]  # condition and body
    otherwise: Script


@dataclass(frozen=True, slots=True)
class For:
    name: str
    words: tuple[Word, ...]
    body: Script


@dataclass(frozen=True, slots=True)
class Group:
    body: Script


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    body: Script


@dataclass(frozen=True, slots=True)
class Pipeline:
    commands: tuple[Command | If | For | Group | Definition, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """Pipelines joined by `&&` and `||`; each is run by what the one before it ended with."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    statements: tuple[Statement, ...] = ()


def parse(source: str) -> Script:
    """The script that a text says. Raises UsageError (`shell-syntax`), which says where."""
    reader = _Reader(source)
    script = reader.script()
    if reader.more():
        reader.refuse(f"unexpected {reader.seen()!r}")
    return script


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def refuse(self, what: str, at: int | None = None) -> NoReturn:
        before = self.source[: self.at if at is None else at]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise UsageError(f"{line}:{column}: {what}", reason="shell-syntax")

    # ---- characters

    def more(self) -> bool:
        self.blanks()
        return self.at < len(self.source)

    def peek(self, length: int = 1) -> str:
        return self.source[self.at : self.at + length]

    def seen(self) -> str:
        return self.word_ahead() or self.peek()

    def blanks(self) -> None:
        """Skip blanks, joined lines and comments."""
        while self.at < len(self.source):
            if self.peek(2) == "\\\n":
                self.at += 2
            elif self.peek() in " \t\r":
                self.at += 1
            elif self.peek() == "#":
                end = self.source.find("\n", self.at)
                self.at = len(self.source) if end < 0 else end
            else:
                return

    def lines(self) -> None:
        self.blanks()
        while self.peek() == "\n":
            self.at += 1
            self.blanks()

    def take(self, text: str) -> bool:
        self.blanks()
        if not self.source.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def word_ahead(self) -> str:
        """The unquoted word that comes next."""
        self.blanks()
        end = self.at
        while end < len(self.source) and self.source[end] not in _ENDS and self.source[end] not in "'\"$\\":
            end += 1
        return self.source[self.at : end]

    def keyword(self, word: str) -> bool:
        self.lines()
        if self.word_ahead() != word:
            return False
        self.at += len(word)
        return True

    def expect(self, word: str, of: str, begun: int) -> None:
        if not self.keyword(word):
            self.refuse(f"{of} is not closed by {word!r}", begun)

    # ---- structure

    def script(self) -> Script:
        found: list[Statement] = []
        while True:
            self.lines()
            if self.at >= len(self.source) or self.peek() == ")" or self.word_ahead() in _RESERVED:
                return Script(tuple(found))
            found.append(self.statement())
            self.blanks()
            if self.peek() == "&":
                self.refuse(
                    "commands in the background are not supported: pipelines on a line of their own run in turn"
                )
            if self.peek() == ";":
                self.at += 1
            elif self.peek() not in ("\n", ")", ""):
                if self.word_ahead() in _RESERVED:
                    continue
                self.refuse(f"unexpected {self.seen()!r}")

    def statement(self) -> Statement:
        first = self.pipeline()
        rest: list[tuple[str, Pipeline]] = []
        while True:
            self.blanks()
            operator = self.peek(2)
            if operator not in ("&&", "||"):
                return Statement(first, tuple(rest))
            self.at += 2
            self.lines()
            rest.append((operator, self.pipeline()))

    def pipeline(self) -> Pipeline:
        negated = self.word_ahead() == "!"
        if negated:
            self.at += 1
        commands = [self.command()]
        while True:
            # A line may begin with the bar of the pipeline that the line before began.
            before = self.at
            self.lines()
            if self.peek() != "|" or self.peek(2) == "||":
                self.at = before
                return Pipeline(tuple(commands), negated)
            self.at += 1
            self.lines()
            commands.append(self.command())

    def command(self) -> Command | If | For | Group | Definition:
        begun, ahead = self.at, self.word_ahead()
        if ahead in _REFUSED:
            self.refuse(f"{ahead!r} is not supported here")
        if self.peek() == "(":
            self.refuse("subshells are not supported: use { …; }")
        if ahead == "if":
            self.at += 2
            return self.conditional(begun)
        if ahead == "for":
            self.at += 3
            return self.loop(begun)
        if ahead == "{":
            self.at += 1
            return self.group(begun)
        named = re.match(r"[ \t]*\([ \t]*\)", self.source[self.at + len(ahead) :]) if ahead else None
        if named:
            self.at += len(ahead) + named.end()
            self.lines()
            begun = self.at
            if not self.keyword("{"):
                self.refuse(f"the function {ahead!r} has no body: write {ahead}() {{ …; }}")
            return Definition(ahead, self.group(begun).body)
        return self.simple()

    def conditional(self, begun: int) -> If:
        branches, otherwise = [], Script()
        condition = self.script()
        self.expect("then", "if", begun)
        branches.append((condition, self.script()))
        while self.keyword("elif"):
            condition = self.script()
            self.expect("then", "elif", begun)
            branches.append((condition, self.script()))
        if self.keyword("else"):
            otherwise = self.script()
        self.expect("fi", "if", begun)
        return If(tuple(branches), otherwise)

    def loop(self, begun: int) -> For:
        name = self.word_ahead()
        if not _NAME.fullmatch(name):
            self.refuse("for needs a variable: for NAME in WORD…; do …; done")
        self.at += len(name)
        if not self.keyword("in"):
            self.refuse(f"for {name} needs the words to go through: for {name} in WORD…; do …; done")
        words = []
        while (word := self.word()) is not None:
            words.append(word)
        self.take(";")
        self.expect("do", "for", begun)
        body = self.script()
        self.expect("done", "for", begun)
        return For(name, tuple(words), body)

    def group(self, begun: int) -> Group:
        body = self.script()
        self.expect("}", "{", begun)
        return Group(body)

    def simple(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        begun = self.at
        while True:
            self.blanks()
            if self.peek() in ("<", ">"):
                self.refuse("redirections are not supported: use export, or contents of a file")
            if not words and (named := re.compile(_NAME.pattern + "=").match(self.source, self.at)):
                self.at = named.end()
                nothing = self.peek() == "" or self.peek() in _ENDS
                assignments.append((named[0][:-1], Word(()) if nothing else self.word() or Word(())))
                continue
            word = self.word()
            if word is None:
                break
            words.append(word)
        if not words and not assignments:
            self.refuse(
                f"a command is missing before {self.peek()!r}" if self.peek().strip() else "a command is missing", begun
            )
        return Command(tuple(assignments), tuple(words))

    # ---- words

    def word(self) -> Word | None:
        self.blanks()
        parts: list[Text | Variable | Substitution] = []
        plain = ""
        begun = self.at
        while self.at < len(self.source) and self.peek() not in _ENDS:
            character = self.peek()
            if character == "'":
                end = self.source.find("'", self.at + 1)
                if end < 0:
                    self.refuse("a quote (') is not closed")
                plain += self.source[self.at + 1 : end]
                self.at = end + 1
            elif character == '"':
                parts += [Text(plain), *self.quoted()]
                plain = ""
            elif character == "\\":
                plain += self.source[self.at + 1 : self.at + 2].replace("\n", "")
                self.at += 2
            elif character == "`":
                self.refuse("backquotes are not supported: use $(…)")
            elif character == "$" and (found := self.dollar(quoted=False)):
                parts += [Text(plain), found]
                plain = ""
            else:
                plain += character
                self.at += 1
        if self.at == begun:
            return None
        return Word(tuple(part for part in (*parts, Text(plain)) if part != Text("")) or (Text(""),))

    def quoted(self) -> list[Text | Variable | Substitution]:
        begun = self.at
        self.at += 1
        parts: list[Text | Variable | Substitution] = []
        plain = ""
        while self.peek() != '"':
            if self.at >= len(self.source):
                self.refuse('a quote (") is not closed', begun)
            if self.peek() == "\\" and self.peek(2)[1:] in ('"', "\\", "$", "`", "\n"):
                plain += self.peek(2)[1:].replace("\n", "")
                self.at += 2
            elif self.peek() == "$" and (found := self.dollar(quoted=True)):
                parts += [Text(plain), found]
                plain = ""
            else:
                plain += self.peek()
                self.at += 1
        self.at += 1
        return [*parts, Text(plain)]

    def dollar(self, *, quoted: bool) -> Variable | Substitution | None:
        """What a `$` begins, or None if it is one of itself."""
        begun = self.at
        if self.peek(3) == "$((":
            self.refuse("arithmetic is not supported")
        if self.peek(2) == "$(":
            self.at += 2
            script = self.script()
            if not self.take(")"):
                self.refuse("$( is not closed by )", begun)
            return Substitution(script, quoted)
        if self.peek(2) == "${":
            return self.braced(begun, quoted=quoted)
        named = _VARIABLE.match(self.source, self.at + 1)
        if not named:
            return None
        self.at = named.end()
        return Variable(named[0], quoted)

    def braced(self, begun: int, *, quoted: bool) -> Variable:
        named = _VARIABLE.match(self.source, self.at + 2)
        end = self.source.find("}", self.at)
        if named is None or end < 0:
            self.refuse("${ needs a variable and }")
        self.at = named.end()
        default = None
        if self.peek(2) == ":-":
            self.at += 2
            inner = _Reader(self.source[:end])
            inner.at = self.at
            default = inner.word() or Word(())
            self.at = inner.at
        if self.peek() != "}":
            self.refuse("only ${NAME} and ${NAME:-default} are supported", begun)
        self.at += 1
        return Variable(named[0], quoted, default)
