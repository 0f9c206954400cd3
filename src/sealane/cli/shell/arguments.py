"""A command's words as arguments of a function: required ones by their place or by name, the others by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sealane.cli import arguments
from sealane.cli.chain import Given
from sealane.cli.flags import BadValue, Flag, FlagSet, Kind, flag_of, kind_of
from sealane.cli.help import flag_table
from sealane.cli.wire import literal
from sealane.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealane.cli.schema import Argument, Function, Types
    from sealane.cli.shell.state import State
    from sealane.cli.wire import Session

_AS_SAID = Kind("string", lambda text: [text], repeated=True)
_SWITCH = Kind("", lambda text: [text], repeated=True, boolean=True)


class Reader:
    """Reads words whose states are tokens; `state` gives the state that a text is the token of, `text` fills tokens in."""

    def __init__(
        self, types: Types, session: Session, *, state: Callable[[str], State | None], text: Callable[[str], str]
    ) -> None:
        self._types = types
        self._session = session
        self._state = state
        self._text = text

    def read(self, function: Function, words: list[str]) -> str:
        """The arguments as a query says them. Raises UsageError, which shows how the function is used."""
        try:
            given = self._given(function, words)
        except UsageError as error:
            error.message = f"function {function.command!r}: {error.message}\nusage: {usage(function)}"
            raise
        values = arguments.resolve(self._session, given)
        return ",".join(f"{each.argument.name}:{literal(value)}" for each, value in zip(given, values, strict=True))

    def _given(self, function: Function, words: list[str]) -> list[Given]:
        flags = FlagSet()
        for argument in function.args:
            kind = kind_of(self._types, argument)
            flags.add(Flag(argument.flag, _SWITCH if kind and kind.boolean else _AS_SAID, argument=argument))
        placed = flags.read_among(words)
        texts = {flag.argument.name: flag.value for flag in flags.flags.values() if flag.argument and flag.changed}
        required = [each for each in function.args if each.required]
        strings = len(required) == 1 and self._types.display(required[0].type) == "[]string"
        if strings and len(placed) > 1:
            value = [self._text(word) for word in placed]
            kind = Kind("strings", lambda text: [text], repeated=True)
            others = [each for each in function.args if each is not required[0] and each.name in texts]
            return [Given(required[0], kind, value), *(self._one(each, texts[each.name]) for each in others)]
        missing = [each for each in required if each.name not in texts]
        if len(missing) != len(placed):
            raise UsageError(
                f"requires {len(missing)} positional argument(s), received {len(placed)}", reason="wrong-arguments"
            )
        texts |= {each.name: [word] for each, word in zip(missing, placed, strict=True)}
        return [self._one(each, texts[each.name]) for each in function.args if each.name in texts]

    def _one(self, argument: Argument, texts: list[str]) -> Given:
        """An argument from its texts: one, unless it is a list."""
        kind = kind_of(self._types, argument) or Kind(self._types.display(argument.type), self._refuse(argument))
        is_list = self._types[argument.type].element is not None
        value: Any = None
        for text in texts if is_list else texts[-1:]:
            state = self._state(text)
            if state is not None and state.is_object(self._types):
                found = state.value(self._types, self._session)
                kind = replace(kind, object="")
            else:
                found = self._parsed(kind, argument, self._text(text))
            value = [*(value or []), *(found if isinstance(found, list) else [found])] if is_list else found
        return Given(argument, kind, value)

    def _parsed(self, kind: Kind, argument: Argument, text: str) -> Any:
        try:
            return kind.parse(text)
        except BadValue as error:
            raise UsageError(f"argument {argument.flag!r}: {text!r}: {error}", reason="invalid-argument") from None

    def _refuse(self, argument: Argument) -> Callable[[str], Any]:
        shown = self._types.display(argument.type)

        def parse(text: str) -> Any:
            raise BadValue(f"a {shown} object is expected, not text: give one as $(…), not {text[:60]!r}")

        return parse


def described(types: Types, function: Function) -> str:
    """What a function does, how it is used, what it answers."""
    flags = [flag for each in function.args if (flag := flag_of(types, each)) is not None]
    objects = [each for each in function.args if flag_of(types, each) is None]
    lines = [function.description.strip() or "-", "", f"usage: {usage(function)}"]
    lines += ["", flag_table(flags)] if flags else []
    lines += ["", *(f"  <{each.flag}> is a {types.display(each.type)}: $(…)" for each in objects)] if objects else []
    return "\n".join([*lines, "", f"answers {types.display(function.returns)}", ""])


def usage(function: Function) -> str:
    """How a function is used, in one line."""
    required = [f"<{each.flag}>" for each in function.args if each.required]
    optional = ["[options]"] if len(required) < len(function.args) else []
    return " ".join([function.command, *optional, *required])
