"""Tags, labels and build arguments, as docker/metadata-action and the guide have them."""

import pytest

from sealane.attest import metadata
from sealane.config.image import PublishConfig
from sealane.errors import ConfigError
from sealane.vendors.model import Context, Event

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PUSH = Context(
    "local",
    Event.PUSH,
    branch="main",
    default_branch="main",
    commit=COMMIT,
    committed=1790000000,
    repository="Owner/App",
)
FEATURE = Context("local", Event.PUSH, branch="feature/x", default_branch="main", commit=COMMIT)
REQUEST = Context("github", Event.PULL_REQUEST, branch="feature/x", pull_request=12, commit=COMMIT)


@pytest.mark.parametrize(
    ("context", "tags"),
    [
        (PUSH, ("main-0123456", "main", "latest")),
        (FEATURE, ("feature-x-0123456", "feature-x")),
        (REQUEST, ("pr-12",)),
        (Context("local", Event.PUSH, branch="a b/c#d", commit=COMMIT), ("a-b-c-d-0123456", "a-b-c-d")),
        (Context("local", Event.PUSH, branch="x" * 200, commit=COMMIT), ("x" * 120 + "-0123456", "x" * 128)),
        (Context("local", Event.TAG, tag="v1.2.3", commit=COMMIT), ("v1.2.3",)),
        (Context("local", Event.MANUAL, branch="-.odd"), ("odd",)),
        (Context("local", Event.MANUAL), ()),
    ],
)
def test_tags(context, tags):
    assert metadata.tags(context) == tags


def test_the_repository_is_in_lower_case_and_comes_from_configuration_or_environment():
    assert metadata.target(PublishConfig(registry="ghcr.io"), PUSH).repository == "ghcr.io/owner/app"
    environment = Context("local", Event.PUSH, branch="main", registry="r.example", image_name="Team/Api")
    assert metadata.target(PublishConfig(), environment).addresses == ("r.example/team/api:main",)
    configured = PublishConfig(registry="r.example", name="sutazai")
    assert metadata.target(configured, environment).repository == "r.example/sutazai"


def test_an_address_with_a_tag_moves_that_alone():
    assert metadata.target(PublishConfig(), PUSH, "r.example:5000/a/b:v1").addresses == ("r.example:5000/a/b:v1",)
    assert metadata.target(PublishConfig(), PUSH, "localhost/a").tags == ("main-0123456", "main", "latest")


@pytest.mark.parametrize(
    ("address", "context", "reason"),
    [
        ("", PUSH, "no-repository"),
        ("app", PUSH, "bad-reference"),
        ("r.example/App", PUSH, "bad-reference"),
        (f"r.example/app@sha256:{'0' * 64}", PUSH, "bad-reference"),
        ("r.example/app", Context("local", Event.MANUAL), "no-tags"),
    ],
)
def test_what_can_not_be_published_to(address, context, reason):
    with pytest.raises(ConfigError) as error:
        metadata.target(PublishConfig(), context, address)
    assert error.value.reason == reason
    assert error.value.hint


def test_labels_say_what_is_known():
    package = {"project": {"name": "api", "description": "It answers", "license": "MIT"}}
    assert metadata.labels(PublishConfig(), package, PUSH) == {
        "org.opencontainers.image.title": "App",
        "org.opencontainers.image.description": "It answers",
        "org.opencontainers.image.version": "main",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.created": "2026-09-21T14:13:20Z",
        "org.opencontainers.image.licenses": "MIT",
    }
    assert metadata.labels(PublishConfig(), {}, Context("local", Event.MANUAL)) == {}


def test_build_arguments_come_from_the_commit_where_the_dockerfile_declares_them():
    declared = frozenset({"BUILD_ID", "BUILD_DATE", "VCS_REF", "OTHER"})
    assert metadata.arguments(PUSH, declared, {"BUILD_ID": "7"}) == {
        "BUILD_ID": "7",
        "BUILD_DATE": "2026-09-21T14:13:20Z",
        "VCS_REF": COMMIT,
    }
    assert metadata.arguments(PUSH, frozenset({"BUILD_ID"}), {}) == {"BUILD_ID": "20260921-141320"}
    assert metadata.arguments(PUSH, frozenset(), {"X": "y"}) == {"X": "y"}
    assert metadata.arguments(FEATURE, declared, {})["BUILD_DATE"] == "unknown"
