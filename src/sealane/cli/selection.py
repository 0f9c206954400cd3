"""A chain as one GraphQL query, and its answer taken out of the nesting again."""

from __future__ import annotations

from typing import Any

from sealane.cli.arguments import resolve
from sealane.cli.chain import Chain, Given
from sealane.cli.schema import Ref, Types
from sealane.cli.wire import Session, literal

Selection = tuple[str, str]
"""A field with its arguments as the query says them, and the name that its answer has."""


def resolved(session: Session, chain: Chain) -> list[Selection]:
    """The chain's functions with all their arguments resolved to values."""
    given: list[Given] = [each for link in chain.links for each in link.given]
    values = iter(resolve(session, given))
    selections = []
    for link in chain.links:
        arguments = ",".join(f"{each.argument.name}:{literal(next(values))}" for each in link.given)
        name = link.function.name
        selections.append((f"{name}({arguments})" if arguments else name, name))
    return selections


def leaf(types: Types, returns: Ref, output: str = "") -> list[Selection]:
    """What is asked of the last function's object: its export, its sync or its id."""
    provider = types.provider(returns)
    if provider is None:
        return []
    if output and (export := provider.function("export")) is not None:
        names = {argument.name for argument in export.args}
        if "path" in names:
            parent = ",allowParentDirPath:true" if "allowParentDirPath" in names else ""
            return [(f"export(path:{literal(output)}{parent})", "export")]
    sync = provider.function("sync")
    if sync is not None and not sync.args:
        return [("id:sync", "id")]
    return [("id", "id")]


def ask(session: Session, selections: list[Selection]) -> Any:
    """Send the query; the answer of its innermost field, with lists on the way kept as lists."""
    document = "query{" + "{".join(text for text, _ in selections) + "}" * len(selections)
    return unnest(session.query(document), [name for _, name in selections])


def unnest(data: Any, names: list[str]) -> Any:
    if not names or data is None:
        return data
    if isinstance(data, list):
        return [unnest(item, names) for item in data]
    return unnest(data[names[0]], names[1:])
