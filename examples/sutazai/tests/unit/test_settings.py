"""Settings: what is required, what has a default, what is refused."""

import pytest

from backend.settings import Settings, SettingsError

BOTH = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://cache/1"}


def test_only_the_two_addresses_are_required() -> None:
    settings = Settings.from_environment(BOTH)
    assert settings == Settings("postgresql://db/x", "redis://cache/1", 30, 5)


def test_the_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**BOTH, "CACHE_SECONDS": "7"}.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment().cache_seconds == 7


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_a_missing_address_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({**BOTH, name: ""})


@pytest.mark.parametrize("text", ["0", "-1", "soon", "1.5"])
def test_seconds_are_whole_and_positive(text: str) -> None:
    with pytest.raises(SettingsError, match="CONNECT_TIMEOUT"):
        Settings.from_environment({**BOTH, "CONNECT_TIMEOUT": text})
