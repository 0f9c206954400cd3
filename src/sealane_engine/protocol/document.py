"""A GraphQL document as a tree: an iterative parser, so that depth costs nothing and has no limit.

Literals become Python values while they are parsed: strings are `str`, enum names are `Name`, variables `Variable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sealane_engine.protocol.failures import DocumentError
from sealane_engine.protocol.lexer import INT_DIGITS, Token, string_text, tokens

CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


class Name(str):
    """An enum literal: a bare name."""

    __slots__ = ()


class Variable(NamedTuple):
    name: str


class Directive(NamedTuple):
    name: str
    args: dict[str, Any]
    position: int


@dataclass(slots=True)
class Selected:
    """A field in a selection set. `selections` is None if it has none."""

    key: str
    name: str
    args: dict[str, Any]
    directives: tuple[Directive, ...]
    position: int
    selections: list[Selection] | None = None


@dataclass(slots=True)
class Spread:
    """`...Name`."""

    name: str
    directives: tuple[Directive, ...]
    position: int


@dataclass(slots=True)
class Inline:
    """`... on Type { }`; `condition` is empty without a type."""

    condition: str
    directives: tuple[Directive, ...]
    position: int
    selections: list[Selection] = field(default_factory=list)


Selection = Selected | Spread | Inline


class VariableDefinition(NamedTuple):
    name: str
    type: str
    default: Any
    has_default: bool
    position: int


@dataclass(slots=True)
class Operation:
    kind: str
    name: str
    variables: list[VariableDefinition]
    selections: list[Selection]
    position: int


@dataclass(slots=True)
class Fragment:
    name: str
    condition: str
    selections: list[Selection]
    position: int


@dataclass(slots=True)
class Document:
    operations: list[Operation]
    fragments: dict[str, Fragment]

    def operation(self, name: str | None) -> Operation:
        """The operation to run. An empty name is no name."""
        if not self.operations:
            raise DocumentError("the document has no operation", reason="no-operation")
        if name:
            for operation in self.operations:
                if operation.name == name:
                    return operation
            raise DocumentError(f"the document has no operation named {name!r}", reason="no-operation")
        if len(self.operations) > 1:
            raise DocumentError("the document has several operations: name one of them", reason="no-operation")
        return self.operations[0]


def parse(source: str) -> Document:
    """Parse a document; raises DocumentError. Fragment cycles are refused here, they'd never end."""
    document = Parser(source).document()
    refuse_cycles(document.fragments)
    return document


def parse_literal(source: str) -> Any:
    """A constant literal, such as a default value in a schema."""
    parser = Parser(source)
    value = parser.value(constant=True)
    parser.expect("end")
    return value


class Parser:
    """One pass over the tokens; nesting lives in explicit stacks."""

    def __init__(self, source: str) -> None:
        self.tokens = tokens(source)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at].kind

    def next(self) -> Token:
        token = self.tokens[self.at]
        if token.kind == "end":
            raise DocumentError("syntax error: the document ends too early", position=token.position, reason="syntax")
        self.at += 1
        return token

    def skip(self, kind: str) -> bool:
        if self.tokens[self.at].kind == kind:
            self.at += 1
            return True
        return False

    def expect(self, kind: str) -> Token:
        token = self.tokens[self.at]
        if token.kind != kind:
            raise self.unexpected(token, kind)
        self.at += 1
        return token

    def unexpected(self, token: Token, wanted: str) -> DocumentError:
        found = "the end" if token.kind == "end" else repr(token.text[:40])
        return DocumentError(
            f"syntax error: expected {wanted}, found {found}", position=token.position, reason="syntax"
        )

    def document(self) -> Document:
        document = Document([], {})
        while self.peek() != "end":
            token = self.tokens[self.at]
            if token.kind == "name" and token.text == "fragment":
                fragment = self.fragment()
                if fragment.name in document.fragments:
                    raise DocumentError(
                        f"fragment {fragment.name!r} is defined twice", position=fragment.position, reason="syntax"
                    )
                document.fragments[fragment.name] = fragment
            else:
                document.operations.append(self.operation())
        return document

    def operation(self) -> Operation:
        token = self.tokens[self.at]
        if token.kind == "{":
            return Operation("query", "", [], self.selection_set(), token.position)
        if token.kind != "name" or token.text not in {"query", "mutation", "subscription"}:
            raise self.unexpected(token, "an operation")
        self.at += 1
        name = self.next().text if self.peek() == "name" else ""
        variables = self.variable_definitions() if self.peek() == "(" else []
        self.directives()
        return Operation(token.text, name, variables, self.selection_set(), token.position)

    def fragment(self) -> Fragment:
        position = self.expect("name").position
        name = self.expect("name").text
        on = self.expect("name")
        if on.text != "on" or name == "on":
            raise self.unexpected(on, "'on'")
        condition = self.expect("name").text
        self.directives()
        return Fragment(name, condition, self.selection_set(), position)

    def variable_definitions(self) -> list[VariableDefinition]:
        found: list[VariableDefinition] = []
        self.expect("(")
        while not self.skip(")"):
            position = self.expect("$").position
            name = self.expect("name").text
            self.expect(":")
            type_text = self.type_text()
            has_default = self.skip("=")
            default = self.value(constant=True) if has_default else None
            self.directives()
            found.append(VariableDefinition(name, type_text, default, has_default, position))
        return found

    def type_text(self) -> str:
        text = ""
        opened = 0
        while self.skip("["):
            text += "["
            opened += 1
        text += self.expect("name").text
        while True:
            if self.skip("!"):
                text += "!"
            elif opened and self.skip("]"):
                text += "]"
                opened -= 1
            elif opened:
                raise self.unexpected(self.tokens[self.at], "']'")
            else:
                return text

    def directives(self) -> tuple[Directive, ...]:
        if self.peek() != "@":
            return ()
        found = []
        while self.skip("@"):
            token = self.expect("name")
            args = self.arguments() if self.peek() == "(" else {}
            found.append(Directive(token.text, args, token.position))
        return tuple(found)

    def arguments(self) -> dict[str, Any]:
        self.expect("(")
        args: dict[str, Any] = {}
        while not self.skip(")"):
            token = self.expect("name")
            self.expect(":")
            if token.text in args:
                raise DocumentError(f"argument {token.text!r} is given twice", position=token.position, reason="syntax")
            args[token.text] = self.value()
        return args

    def value(self, *, constant: bool = False) -> Any:
        """A literal of any depth. `opened` holds the lists and objects that aren't closed yet."""
        opened: list[list[Any] | dict[str, Any]] = []
        keys: list[str] = []
        while True:
            token = self.next()
            if token.kind == "[":
                opened.append([])
            elif token.kind == "{":
                opened.append({})
            else:
                value = self.scalar(token, constant=constant)
                if not opened:
                    return value
                attach(opened[-1], keys, value)
            while True:  # close what ends here, then read the next element's key
                top = opened[-1]
                if self.skip("]" if isinstance(top, list) else "}"):
                    opened.pop()
                    if not opened:
                        return top
                    attach(opened[-1], keys, top)
                    continue
                if isinstance(top, dict):
                    key = self.expect("name")
                    if key.text in top:
                        raise DocumentError(
                            f"field {key.text!r} is given twice", position=key.position, reason="syntax"
                        )
                    keys.append(key.text)
                    self.expect(":")
                break

    def scalar(self, token: Token, *, constant: bool) -> Any:
        kind, text = token.kind, token.text
        if kind in {"string", "block"}:
            return string_text(token)
        if kind == "name":
            return CONSTANTS[text] if text in CONSTANTS else Name(text)
        if kind == "int":
            if len(text) > INT_DIGITS:
                raise DocumentError(
                    f"{text[:INT_DIGITS]}… is too large a number", position=token.position, reason="bad-value"
                )
            return int(text)
        if kind == "float":
            return float(text)
        if kind == "$" and not constant:
            return Variable(self.expect("name").text)
        raise self.unexpected(token, "a value")

    def selection_set(self) -> list[Selection]:
        self.expect("{")
        first: list[Selection] = []
        current = first
        outer: list[list[Selection]] = []
        while True:
            token = self.next()
            if token.kind == "name":
                selected = self.field(token)
                current.append(selected)
                if self.skip("{"):
                    outer.append(current)
                    current = selected.selections = []
            elif token.kind == "}":
                if not current:
                    raise DocumentError("syntax error: a selection is empty", position=token.position, reason="syntax")
                if not outer:
                    return first
                current = outer.pop()
            elif token.kind == "...":
                spread = self.spread(token.position)
                current.append(spread)
                if isinstance(spread, Inline):
                    self.expect("{")
                    outer.append(current)
                    current = spread.selections
            else:
                raise self.unexpected(token, "a field")

    def field(self, token: Token) -> Selected:
        key = name = token.text
        if self.skip(":"):
            name = self.expect("name").text
        args = self.arguments() if self.peek() == "(" else {}
        return Selected(key, name, args, self.directives(), token.position)

    def spread(self, position: int) -> Spread | Inline:
        token = self.tokens[self.at]
        if token.kind == "name" and token.text != "on":
            self.at += 1
            return Spread(token.text, self.directives(), position)
        condition = ""
        if token.kind == "name":
            self.at += 1
            condition = self.expect("name").text
        return Inline(condition, self.directives(), position)


def attach(container: list[Any] | dict[str, Any], keys: list[str], value: Any) -> None:
    if isinstance(container, list):
        container.append(value)
    else:
        container[keys.pop()] = value


def refuse_cycles(fragments: dict[str, Fragment]) -> None:
    """Each fragment that is spread must exist, and none may contain itself."""
    uses: dict[str, set[str]] = {}
    for name, fragment in fragments.items():
        uses[name] = spreads(fragment.selections)
    settled: set[str] = set()
    for start in fragments:
        trail: list[tuple[str, list[str]]] = [(start, sorted(uses[start]))]
        within = {start}
        while trail:
            name, rest = trail[-1]
            if not rest:
                trail.pop()
                within.discard(name)
                settled.add(name)
                continue
            used = rest.pop()
            if used in within:
                raise DocumentError(
                    f"fragment {used!r} contains itself", position=fragments[used].position, reason="fragment-cycle"
                )
            if used in fragments and used not in settled:
                trail.append((used, sorted(uses[used])))
                within.add(used)


def spreads(selections: list[Selection]) -> set[str]:
    """The names of the fragments used anywhere below."""
    names: set[str] = set()
    waiting = [selections]
    while waiting:
        for selection in waiting.pop():
            if isinstance(selection, Spread):
                names.add(selection.name)
            elif selection.selections:
                waiting.append(selection.selections)
    return names
