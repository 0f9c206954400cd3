"""Check an image's configuration before anything believes it: types only; what it says is taken literally."""

from __future__ import annotations

from typing import Any

from sealane_engine.errors import ImageError

_LISTS = ("Env", "Entrypoint", "Cmd", "OnBuild", "Shell")
_OBJECTS = ("ExposedPorts", "Volumes", "Labels")
_TEXTS = ("User", "WorkingDir", "StopSignal")


def check_config(config: Any, name: str) -> dict[str, Any]:
    """The configuration, if it is one. Raises ImageError (`bad-config`)."""
    if not isinstance(config, dict):
        raise ImageError(f"{name}: its configuration is no object", reason="bad-config")
    inner = config.get("config") or {}
    if not isinstance(inner, dict):
        raise _bad(name, "config", "no object")
    for key in _LISTS:
        value = inner.get(key)
        if value is not None and not (isinstance(value, list) and all(_is_text(each) for each in value)):
            raise _bad(name, key, "no list of texts")
    for key in _OBJECTS:
        if inner.get(key) is not None and not isinstance(inner[key], dict):
            raise _bad(name, key, "no object")
    for key in _TEXTS:
        if inner.get(key) is not None and not _is_text(inner[key]):
            raise _bad(name, key, "no text")
    if "\n" in (inner.get("User") or "") or "\n" in (inner.get("WorkingDir") or ""):
        raise _bad(name, "User or WorkingDir", "more than one line")
    return config


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _bad(name: str, key: str, what: str) -> ImageError:
    return ImageError(f"{name}: {key} in its configuration is {what}", reason="bad-config")
