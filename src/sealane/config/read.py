"""Reads the configuration of a project, and says of a wrong key or value which one it is and what was meant."""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sealane.config import Config
from sealane.config.model import dashes
from sealane.config.stages import LintTool
from sealane.errors import ConfigError


def parse(pyproject: str | None, sealane_toml: str | None = None) -> Config:
    """The configuration in the text of the two files; `sealane.toml` wins when both have one."""
    if sealane_toml is not None:
        return _placed(load(_toml(sealane_toml, "sealane.toml"), where="sealane.toml"), sealane_toml, "sealane.toml")
    if pyproject is None:
        return Config()
    table = _toml(pyproject, "pyproject.toml").get("tool", {})
    config = load(table.get("sealane", {}), where="pyproject.toml [tool.sealane]")
    return _placed(config, pyproject, "pyproject.toml")


_WAIVER = re.compile(r"^\s*\[\[\s*(?:tool\.sealane\.)?gates\.waivers\s*\]\]", re.MULTILINE)


def _placed(config: Config, text: str, name: str) -> Config:
    """Notes the line of each waiver, so that it can be said which one to delete."""
    lines = [text.count("\n", 0, match.end()) + 1 for match in _WAIVER.finditer(text)]
    for index, waiver in enumerate(config.gates.waivers):
        waiver.at(f"{name}:{lines[index]}" if len(lines) == len(config.gates.waivers) else name)
    return config


def load(table: dict[str, Any], *, where: str) -> Config:
    """The configuration a table holds.

    Raises ConfigError (`unknown-key`, `bad-value`), which names the key.
    """
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
        raise _explain(first, where) from None


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not valid TOML: {error}", reason="bad-toml", hint=f"Mend {name}.") from None


def _explain(error: Any, where: str) -> ConfigError:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1].replace("_", "-"), known, n=1, cutoff=0.4)
        hint = f"Did you mean `{'.'.join([*location[:-1], near[0]])}`?" if near else f"Known keys: {', '.join(known)}."
        return ConfigError(f"unknown key `{key}` in {where}", reason="unknown-key", hint=hint)
    message = str(error["msg"]).removeprefix("Value error, ")
    return ConfigError(f"bad value of `{key}` in {where}: {message}", reason="bad-value", hint=f"Change `{key}`.")


def _known_keys(path: list[str]) -> list[str]:
    """The keys allowed at `path`, a list of keys from the top."""
    model: type[BaseModel] = Config
    named = False
    for part in path:
        if part.isdigit() or named:  # an element of a list, or of a table whose keys are names
            named = False
            continue
        field = model.model_fields.get(part.replace("-", "_"))
        if field is None:
            return []
        kinds = [field.annotation, *get_args(field.annotation)]
        nested = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if nested is None:
            return [str(choice) for choice in get_args(LintTool)] if part == "args" else []
        model, named = nested, get_origin(field.annotation) is dict
    return sorted(dashes(name) for name in model.model_fields)
