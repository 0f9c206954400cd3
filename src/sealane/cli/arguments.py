"""Arguments' texts as values of a query: an object is asked of the session by its address and sent as its id."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sealane.cli.chain import Given
from sealane.cli.wire import Session, literal
from sealane.errors import QueryFailed

# how an object is had from its text: the chain of selections, ending in a leaf that is its id
_CHAINS = {
    "Container": "address(value:{text}){{container{{sync}}}}",
    "Directory": "address(value:{text}){{directory{exclude}{{sync}}}}",
    "File": "address(value:{text}){{file{{sync}}}}",
    "Secret": "address(value:{text}){{secret{{id}}}}",
    "Service": "address(value:{text}){{service{{start}}}}",
    "Socket": "address(value:{text}){{socket{{id}}}}",
    "GitRepository": "address(value:{text}){{gitRepository{{id}}}}",
    "GitRef": "address(value:{text}){{gitRef{{id}}}}",
    "CacheVolume": "cacheVolume(key:{text}){{id}}",
    "ModuleSource": "moduleSource(refString:{text}){{sync}}",
    "Module": "moduleSource(refString:{text}){{asModule{{sync}}}}",
}


def resolve(session: Session, given: list[Given]) -> list[Any]:
    """The value of each argument, objects as ids. Objects are asked for at the same time."""
    objects = [each for each in given if each.kind.object]
    if len(objects) < 2:
        return [_value(session, each) for each in given]
    with ThreadPoolExecutor(max_workers=min(8, len(objects))) as pool:
        return list(pool.map(lambda each: _value(session, each), given))


def _value(session: Session, given: Given) -> Any:
    if not given.kind.object:
        return given.value
    try:
        if given.kind.repeated:
            return [_id(session, given, text) for text in given.value]
        return _id(session, given, given.value)
    except QueryFailed as error:
        error.message = f'failed to get value for argument "{given.argument.flag}": {error.message}'
        raise


def _id(session: Session, given: Given, text: str) -> str:
    ignored = given.argument.ignore
    exclude = f"(exclude:{literal(list(ignored))})" if ignored else ""
    chain = _CHAINS[given.kind.object].format(text=literal(text), exclude=exclude)
    answer: Any = session.query("query{" + chain + "}")
    while isinstance(answer, dict):
        answer = next(iter(answer.values()))
    return str(answer)
