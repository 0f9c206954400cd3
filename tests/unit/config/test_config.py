"""Configuration: everything may be left out, and a wrong key is named with the nearest right one."""

import pytest

from sealane.config import Config
from sealane.config.read import load, parse
from sealane.errors import ConfigError


def test_nothing_is_a_configuration():
    assert parse(None) == Config()
    assert parse("[project]\nname = 'x'\n") == Config()


def test_dashes_and_underscores_are_the_same():
    assert load({"test": {"unit-args": ["-q"]}}, where="x") == load({"test": {"unit_args": ["-q"]}}, where="x")


def test_sealane_toml_wins():
    assert parse("[tool.sealane]\npython = '3.9'\n", "python = '3.13'\n").python == "3.13"


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("[tool.sealane]\npyton = '3.11'\n", "`pyton`", "`python`"),
        ("[tool.sealane.gates]\ncoverge = 1\n", "`gates.coverge`", "`gates.coverage`"),
        (
            "[tool.sealane.services.postgres]\npasword = 'x'\n",
            "`services.postgres.pasword`",
            "`services.postgres.password`",
        ),
        ("[tool.sealane]\nzzz = 1\n", "`zzz`", "Known keys"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(text, key, hint):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.reason == "unknown-key"
    assert key in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tool.sealane.gates]\ncoverage = 'much'\n", "bad-value"),
        ("[tool.sealane.build]\ndockerfile = '../Dockerfile'\n", "bad-value"),
        ("[tool.sealane.lint]\ntools = ['pylynt']\n", "bad-value"),
        ("[tool.sealane\n", "bad-toml"),
    ],
)
def test_a_wrong_value_says_why(text, reason):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("kms", "fits"), [("hashivault://release", True), ("awskms:///alias/x", True), ("", True), ("cosign.key", False)]
)
def test_a_kms_key_is_named_by_its_scheme(kms, fits):
    text = f'[publish]\nkms = "{kms}"\n'
    if fits:
        assert parse(None, text).publish.kms == kms
        return
    with pytest.raises(ConfigError) as caught:
        parse(None, text)
    assert caught.value.reason == "bad-value"
