"""How an index names its images."""

import json

from sealane_engine.oci.layout import Assembled, make_index


def image(platform, **annotations):
    made = {"org.opencontainers.image.version": "v0.1.2", **annotations}
    return Assembled(platform.encode(), b"{}", (), platform, "application/vnd.oci.image.manifest.v1+json", made)


def test_each_image_of_an_index_is_named_with_its_annotations():
    """As Dagger has it (core/integration/container_test.go TestAnnotations, multi-platform)."""
    _, data = make_index([image("linux/amd64", only="here"), image("linux/arm64")])
    index = json.loads(data)
    both = {"org.opencontainers.image.version": "v0.1.2"}
    assert [each["annotations"] for each in index["manifests"]] == [{**both, "only": "here"}, both]
    assert index["annotations"] == both
