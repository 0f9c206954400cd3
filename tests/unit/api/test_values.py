"""Values: paths, expansion, pairs, and the way to OCI configuration and back."""

from __future__ import annotations

import pytest

from sealane_engine.api.durations import parse_duration
from sealane_engine.api.values import Config, Healthcheck, Port, config_from_oci, config_to_oci, expand, join, with_pair
from sealane_engine.errors import InvalidInput


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        ("/", "a", "/a"),
        ("/a", "b/../c", "/a/c"),
        ("/a", "/b", "/b"),
        ("/a", "../../..", "/"),
        ("/a/b", ".", "/a/b"),
        ("/", "", "/"),
        ("/", "//x///y/", "/x/y"),
    ],
)
def test_joins_paths_inside_the_root(base: str, path: str, expected: str) -> None:
    assert join(base, path) == expected


def test_expands_both_forms_and_drops_what_is_not_set() -> None:
    assert expand("$A-${B}-$C-${D}.", (("A", "1"), ("B", "2"))) == "1-2--."


def test_a_pair_is_replaced_in_its_place() -> None:
    assert with_pair((("Z", "1"), ("A", "2")), "Z", "3") == (("Z", "3"), ("A", "2"))


def test_configuration_survives_the_way_to_oci_and_back() -> None:
    config = Config(
        env=(("PATH", "/bin"), ("X", "a=b")),
        entrypoint=("e",),
        default_args=("c", "d"),
        workdir="/w",
        user="u:g",
        labels=(("l", "v"),),
        ports=(Port(80), Port(53, "UDP")),
        volumes=("/v",),
        stop_signal="SIGINT",
        healthcheck=Healthcheck(("curl x || exit 1",), shell=True, interval=5, timeout=3, retries=2),
        onbuild=("RUN x",),
    )
    assert config_from_oci(config_to_oci(config)) == config


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("1m30s", 90), ("250ms", 0.25), ("1.5h", 5400)])
def test_reads_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, 0) == seconds


@pytest.mark.parametrize("text", ["10", "s", "1d", "-1s", "1s2"])
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_duration(text, 0)
    assert caught.value.reason == "duration"
