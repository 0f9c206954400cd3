"""The customizations of a toolchain: other defaults for arguments of its functions, said by the module that uses it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sealane_engine.errors import InvalidInput
from sealane_engine.modules.names import lower_camel
from sealane_engine.modules.publish import main_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealane_engine.modules.config import Customization
    from sealane_engine.modules.typedefs import ArgDef, FunctionDef, Registered, TypeDef


def customized(shown: Registered, module: str, customizations: Iterable[Customization]) -> Registered:
    """The types with the customizations applied. Raises InvalidInput (`customization`) where one names nothing."""
    for each in customizations:
        shown = _applied(shown, module, each)
    return shown


def _applied(shown: Registered, module: str, custom: Customization) -> Registered:
    owner = main_object(shown, module)
    for name in custom.function[:-1]:
        owner = _object(shown, _function(owner, name, custom).returns.leaf.name, custom)
    if custom.function:
        function = _function(owner, custom.function[-1], custom)
        mended = _with_argument(function, custom)
        changed = replace(owner, functions=tuple(mended if each is function else each for each in owner.functions))
    elif owner.constructor is not None:
        changed = replace(owner, constructor=_with_argument(owner.constructor, custom))
    else:
        raise _nothing(custom)
    return replace(shown, objects=tuple(changed if each is owner else each for each in shown.objects))


def _object(shown: Registered, name: str, custom: Customization) -> TypeDef:
    for each in shown.objects:
        if each.name == name:
            return each
    raise _nothing(custom)


def _function(owner: TypeDef, name: str, custom: Customization) -> FunctionDef:
    for each in owner.functions:
        if each.name == lower_camel(name):
            return each
    raise _nothing(custom)


def _with_argument(function: FunctionDef, custom: Customization) -> FunctionDef:
    if not any(each.name == lower_camel(custom.argument) for each in function.args):
        raise _nothing(custom)
    args = tuple(
        _changed(each, custom) if each.name == lower_camel(custom.argument) else each for each in function.args
    )
    return replace(function, args=args)


def _changed(argument: ArgDef, custom: Customization) -> ArgDef:
    changed = argument
    if custom.default is not None:
        text = argument.type.kind in ("STRING_KIND", "ENUM_KIND")
        changed = replace(changed, default=json.dumps(custom.default) if text else custom.default)
    if custom.default_path or custom.default_address:
        use = replace(changed.type, optional=True)
        changed = replace(changed, default_path=custom.default_path, default_address=custom.default_address, type=use)
    return replace(changed, ignore=custom.ignore) if custom.ignore else changed


def _nothing(custom: Customization) -> InvalidInput:
    where = ".".join(custom.function) or "the constructor"
    return InvalidInput(
        f"a customization names argument {custom.argument!r} of {where}, which the toolchain doesn't have",
        reason="customization",
        hint="mend it in dagger.json",
    )
