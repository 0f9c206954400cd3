"""The shell's own commands: those of Dagger's shell, each with a dot in front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sealane.cli.help import table
from sealane.cli.shell.state import State
from sealane.cli.wire import literal
from sealane.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealane.cli.shell.interpreter import Emit, Shell

    Builtin = Callable[[Shell, list[str], State | str | None, Emit], None]


def find(name: str) -> Builtin | None:
    """The builtin of a name; a word with a dot that is none, nor a path, is refused."""
    if name.startswith("_") and f".{name[1:]}" in _BUILTINS:
        name = f".{name[1:]}"
    if name in _BUILTINS:
        return _BUILTINS[name]
    if name.startswith(".") and name.strip(".") and "/" not in name:
        known = ", ".join(sorted(_BUILTINS))
        raise UsageError(f"no such command: {name!r}", reason="unknown-builtin", hint=f"There are {known}.")
    return None


def _echo(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    bare = words[:1] == ["-n"]
    emit(" ".join(words[1:] if bare else words) + ("" if bare else "\n"))


def _printenv(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    variables = shell.variables()
    if not words:
        emit("".join(f"{name}={value}\n" for name, value in sorted(variables.items())))
    elif words[0] not in variables:
        raise UsageError(f"environment variable {words[0]!r} not set", reason="unset-variable")
    else:
        emit(variables[words[0]] + "\n")


def _exit(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    from sealane.cli.shell.interpreter import Exit

    if words and not words[0].isdecimal():
        raise UsageError(f"invalid exit status code: {words[0]!r}", reason="bad-exit-code")
    raise Exit(int(words[0]) & 255 if words else 0)


def _refresh(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    shell.reload()


def _ls(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    path = words[0] if words else "."
    document = f"query{{currentWorkspace{{directory(path:{literal(path)}){{entries}}}}}}"
    emit("".join(f"{each}\n" for each in shell.session.query(document)["currentWorkspace"]["directory"]["entries"]))


def _pwd(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    emit(f"{Path.cwd()}\n")


def _types(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:  # noqa: ARG001
    emit(table((each.name, each.description) for each in shell.types.objects()) + "\n")


def _help(shell: Shell, words: list[str], given: State | str | None, emit: Emit) -> None:
    """Functions of what is piped in, or of the root; of one function how it is used."""
    state = given if isinstance(given, State) else State()
    if words:
        from sealane.cli.shell.arguments import described

        emit(described(shell.types, state.function(shell.types, words[0])))
        return
    owner = state.owner(shell.types)
    if owner is None:
        raise UsageError(f"a {shell.types.display(state.returns)} has no functions", reason="unknown-function")
    rows = [(each.command, each.short) for each in sorted(owner.functions, key=lambda each: each.name)]
    text = f"{table(rows)}\n"
    if not isinstance(given, State):
        text += f'\n{", ".join(sorted(_BUILTINS))}\n\nUse ".help <function>" or "<function> | .help" for more.\n'
    emit(text)


_BUILTINS: dict[str, Builtin] = {
    ".echo": _echo,
    ".exit": _exit,
    ".help": _help,
    ".ls": _ls,
    ".printenv": _printenv,
    ".pwd": _pwd,
    ".refresh": _refresh,
    ".types": _types,
}
