"""`sealane verify` reaches a registry as the engines' configuration says."""

import pytest

from sealane.attest import registry
from sealane.cli import verify
from sealane.errors import ConfigError

WHERE = registry.address("registry.lan:5000/a/b:v1")


@pytest.fixture
def configured(tmp_path):
    """The host's settings, with this text as `engine.json`."""

    def read(text):
        path = tmp_path / "dagger/engine.json"
        path.parent.mkdir()
        path.write_text(text)
        return verify.host_of(WHERE, {"XDG_CONFIG_HOME": str(tmp_path)})

    return read


def test_plain_http_and_authorities_are_those_of_the_file(configured):
    found = configured('{"registries": {"registry.lan:5000": {"http": true, "ca": ["lan.pem"]}}}')
    assert found.http
    assert found.ca == ("lan.pem",)


def test_another_registry_is_reached_as_ever(configured):
    assert not configured('{"registries": {"other.lan": {"insecure": true}}}').insecure


def test_a_file_that_cannot_be_read_is_named(configured):
    with pytest.raises(ConfigError, match=r"engine\.json") as caught:
        configured("{")
    assert caught.value.reason == "bad-engine-config"
