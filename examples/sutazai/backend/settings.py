"""Settings of the service, read from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional


class SettingsError(ValueError):
    """A setting is missing or can't be used."""


@dataclass(frozen=True)
class Settings:
    """Where the two stores are, and how long things may take (seconds)."""

    database_url: str
    redis_url: str
    cache_seconds: int = 30
    connect_timeout: int = 5

    @classmethod
    def from_environment(
        cls, environment: Optional[Mapping[str, str]] = None
    ) -> "Settings":
        """Read the settings; the two addresses have no default."""
        values = os.environ if environment is None else environment
        return cls(
            database_url=_required(values, "DATABASE_URL"),
            redis_url=_required(values, "REDIS_URL"),
            cache_seconds=_seconds(values, "CACHE_SECONDS", cls.cache_seconds),
            connect_timeout=_seconds(values, "CONNECT_TIMEOUT", cls.connect_timeout),
        )


def _required(values: Mapping[str, str], name: str) -> str:
    value = values.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: see .env.example")
    return value


def _seconds(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name, "")
    if not text:
        return default
    if not text.isdigit() or int(text) == 0:
        raise SettingsError(
            f"{name} is {text!r}: a whole number of seconds is expected"
        )
    return int(text)
