"""The trust layer in a real store."""

import pytest

from sealane_engine.host.trust import BUNDLE, find_trust
from sealane_engine.host.trust_layer import TrustLayers
from sealane_engine.sandbox.ids import ROOT_RANGE
from sealane_engine.store.store import Store
from sealane_engine.store.tree import SCRATCH

pytestmark = pytest.mark.needs("root")


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store", ROOT_RANGE) as opened:
        yield opened


@pytest.fixture
def layers(store, tmp_path):
    body = "-----BEGIN CERTIFICATE-----\nY29tcGFueQ==\n-----END CERTIFICATE-----\n"
    bundle = tmp_path / "host" / BUNDLE.lstrip("/")
    bundle.parent.mkdir(parents=True)
    bundle.write_text(body)
    return TrustLayers(store, find_trust(tmp_path / "host", tmp_path, {}))


def image(store, share=0o755, **files):
    with store.edit(SCRATCH) as edit:
        edit.mkdir("/usr/local/share", share, 0, 50)
        edit.write("/etc/debian_version", b"12\n")
        for name, data in files.items():
            edit.write(f"/etc/{name}", data)
    return edit.tree


def test_two_images_with_the_same_lacks_share_a_layer(store, layers):
    one, other = image(store, hostname=b"one"), image(store, hostname=b"other")
    found = layers.layer_for(store.view(one))
    assert len(found) == 1
    assert layers.layer_for(store.view(other)) == found


def test_the_images_folders_keep_mode_and_owner(store, layers):
    (layer,) = layers.layer_for(store.view(image(store, share=0o2775)))
    folder = (store.home / layer / "usr/local/share").stat()
    assert (folder.st_mode & 0o7777, folder.st_uid, folder.st_gid) == (0o2775, ROOT_RANGE.base, ROOT_RANGE.base + 50)
    assert (store.home / layer / BUNDLE.lstrip("/")).stat().st_uid == ROOT_RANGE.base


def test_the_layer_is_no_part_of_the_images_tree(store, layers):
    tree = image(store)
    view = store.view(tree)
    layers.layer_for(view)
    assert store.view(tree).lstat(BUNDLE) is None
