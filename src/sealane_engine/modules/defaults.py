"""A user's own defaults for the arguments of modules: `.env` beside a dagger.json, or at or above the working directory.

Beside the dagger.json `TAG=x` is the constructor's argument `tag`, `PUSH_TAG=x` the function push's. In the other file the
module's name comes first: `DEPLOY_PUSH_TAG=x`. A given argument wins over both; both win over what the module says.
"""

from __future__ import annotations

import csv
import json
import os
import posixpath
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealane_engine.errors import InvalidInput
from sealane_engine.host import dotenv
from sealane_engine.modules.ground import HostGround
from sealane_engine.modules.names import camel

if TYPE_CHECKING:
    from sealane_engine.api.registry import Context
    from sealane_engine.api.values import Pairs
    from sealane_engine.modules.source import ModuleSource
    from sealane_engine.modules.typedefs import ArgDef, FunctionDef, Registered, TypeDef

FILE = ".env"
_OBJECTS = ("OBJECT_KIND", "INTERFACE_KIND")


async def user_defaults(ctx: Context, source: ModuleSource) -> Pairs:
    """The pairs that name arguments of a module, those of the working directory last."""
    inner: Pairs = ()
    if isinstance(source.ground, HostGround):
        inner = _pairs(await source.ground.read(ctx, posixpath.join(source.subpath, FILE)))
    workdir: Path | None = ctx.engine.main.extra.get("workdir")
    outer: Pairs = ()
    if workdir is not None:
        found = next((each / FILE for each in (workdir, *workdir.absolute().parents) if (each / FILE).is_file()), None)
        outer = _pairs(found.read_bytes()) if found is not None else ()
    names = {source.module_name, source.needs_config().name}
    return (*source.settings, *inner, *(pair for name in names for pair in dotenv.namespaced(outer, name)))


def _pairs(data: bytes | None) -> Pairs:
    if data is None:
        return ()
    return dotenv.values(dotenv.parse(data.decode(errors="replace")), system=lambda name: os.environ.get(name, ""))


def with_defaults(shown: Registered, module: str, pairs: Pairs) -> Registered:
    """The types with the arguments' defaults replaced. Raises InvalidInput (`user-default`) for a value of the wrong kind."""
    if not pairs:
        return shown
    objects = []
    for each in shown.objects:
        own = pairs if each.name == camel(module) else dotenv.namespaced(pairs, each.original)
        objects.append(_object(each, own) if own else each)
    return replace(shown, objects=tuple(objects))


def _object(found: TypeDef, pairs: Pairs) -> TypeDef:
    functions = tuple(_function(each, dotenv.namespaced(pairs, each.original)) for each in found.functions)
    build = _function(found.constructor, pairs) if found.constructor is not None else None
    return replace(found, functions=functions, constructor=build)


def _function(found: FunctionDef, pairs: Pairs) -> FunctionDef:
    values = {name.lower(): value for name, value in pairs}
    args = tuple(
        _argument(each, values[each.name.lower()])
        if each.name.lower() in values
        else _argument(each, values[each.original.lower()])
        if each.original.lower() in values
        else each
        for each in found.args
    )
    return replace(found, args=args)


def _argument(found: ArgDef, value: str) -> ArgDef:
    if found.type.kind in _OBJECTS:
        return replace(found, default_address=value, default_path="", type=replace(found.type, optional=True))
    if found.type.leaf.kind in _OBJECTS:
        return found
    try:
        return replace(found, default=json.dumps(_value(found.type, value)))
    except ValueError:
        raise InvalidInput(
            f"the default {value!r} of argument {found.original!r} in {FILE} is no {found.type.graphql.rstrip('!')}",
            reason="user-default",
            hint=f"mend it in {FILE}, or give the argument",
        ) from None


def _value(of: TypeDef, text: str) -> Any:
    match of.kind:
        case "LIST_KIND" if of.element is not None:
            if text.lstrip().startswith("["):
                items = [each if isinstance(each, str) else json.dumps(each) for each in json.loads(text)]
            else:
                items = next(csv.reader([text]), [])
            return [_value(of.element, each) for each in items]
        case "INTEGER_KIND":
            return int(text)
        case "FLOAT_KIND":
            return float(text)
        case "BOOLEAN_KIND":
            if text.lower() not in ("true", "false", "1", "0"):
                raise ValueError(text)
            return text.lower() in ("true", "1")
    return text
