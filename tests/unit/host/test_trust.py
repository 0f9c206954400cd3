"""What the host trusts, as files for a step."""

import base64
import os
import stat

import pytest

from sealane_engine.host.trust import BUNDLE, Certificates, find_trust


def pem(text):
    body = base64.b64encode(text.encode()).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


class Entry:
    def __init__(self, path):
        facts = os.lstat(path)
        self.kind = {stat.S_IFLNK: "symlink", stat.S_IFDIR: "dir"}.get(stat.S_IFMT(facts.st_mode), "file")
        self.real, self.size, self.mtime_ns = str(path), facts.st_size, facts.st_mtime_ns


class View:
    """An image as a folder."""

    def __init__(self, root):
        self.root = root

    def _path(self, path):
        return self.root / path.lstrip("/")

    def resolve(self, path):
        return "/" + os.path.relpath(os.path.realpath(self._path(path)), os.path.realpath(self.root))

    def lstat(self, path):
        return Entry(self._path(path)) if os.path.lexists(self._path(path)) else None

    def stat(self, path):
        return self.lstat(self.resolve(path))

    def open(self, path):
        return self._path(path).open("rb")


@pytest.fixture
def host(tmp_path):
    return Folder(tmp_path / "host")


@pytest.fixture
def image(tmp_path):
    return Folder(tmp_path / "image")


class Folder:
    def __init__(self, root):
        self.root = root
        root.mkdir()

    def write(self, path, text):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def link(self, path, target):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    @property
    def view(self):
        return View(self.root)


def trust(host, **environ):
    found = find_trust(host.root, host.root / "home", environ)
    found.__dict__["mirrors"] = found.mirrors.__class__(
        pip=found.mirrors.pip,
        npm=found.mirrors.npm,
        http_proxy=found.mirrors.http_proxy,
        https_proxy=found.mirrors.https_proxy,
    )  # without this machine's apt settings
    return found


def with_company(host):
    """A host that trusts one certificate more than Debian does."""
    host.write("/usr/share/ca-certificates/mozilla/A.crt", pem("a"))
    host.write(BUNDLE, pem("a") + pem("company"))
    return host


def test_a_host_with_nothing_of_its_own_adds_nothing_to_an_image_with_certificates(host, image):
    host.write("/usr/share/ca-certificates/mozilla/A.crt", pem("a"))
    host.write(BUNDLE, pem("a"))
    image.write(BUNDLE, pem("old"))
    assert trust(host).files_for(image.view) == {}


def test_an_image_without_certificates_gets_the_hosts(host, image):
    files = trust(with_company(host)).files_for(image.view)
    assert files[BUNDLE].data.decode() == pem("a") + pem("company")


def test_an_image_keeps_its_own_certificates_and_gets_the_companys(host, image):
    image.write(BUNDLE, pem("old") + pem("images own"))
    files = trust(with_company(host)).files_for(image.view)
    assert files[BUNDLE].data.decode() == pem("old") + pem("images own") + pem("company")


def test_the_companys_certificate_survives_update_ca_certificates(host, image):
    image.write("/etc/debian_version", "12")
    files = trust(with_company(host)).files_for(image.view)
    anchors = [path for path in files if path.startswith("/usr/local/share/ca-certificates/")]
    assert [files[path].data.decode() for path in anchors] == [pem("company")]
    assert all(path.endswith(".crt") for path in anchors)
    assert files["/usr/lib/ssl/cert.pem"].link == BUNDLE


def test_a_link_of_the_image_is_followed_never_replaced(host, image):
    image.write("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", pem("old"))
    image.link("/etc/pki/tls/certs/ca-bundle.crt", "../../ca-trust/extracted/pem/tls-ca-bundle.pem")
    image.link("/etc/ssl/certs", "../pki/tls/certs")
    image.write("/etc/pki/ca-trust/source/anchors/README", "")
    files = trust(with_company(host)).files_for(image.view)
    assert files["/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"].data.decode() == pem("old") + pem("company")
    assert not any(path.startswith("/etc/ssl/certs") or path == "/etc/pki/tls/certs/ca-bundle.crt" for path in files)
    assert any(path.startswith("/etc/pki/ca-trust/source/anchors/host-") for path in files)


def test_settings_of_the_image_win(host, image):
    image.write("/etc/pip.conf", "[global]\n")
    files = trust(with_company(host)).files_for(image.view)
    assert "/etc/pip.conf" not in files
    assert files["/etc/npmrc"].data.decode() == f"cafile={BUNDLE}\n"


def test_the_engines_own_bundle_is_trusted_beside_the_systems(host, image, tmp_path):
    own = tmp_path / "own.pem"
    own.write_text(pem("proxy"))
    files = trust(with_company(host), SSL_CERT_FILE=str(own)).files_for(image.view)
    assert files[BUNDLE].data.decode() == pem("a") + pem("company") + pem("proxy")


def test_what_is_no_certificate_is_passed_over():
    data = (
        b"# a comment\n"
        + pem("a").encode()
        + b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"
        + pem("a").encode()
    )
    assert Certificates.parse(data).to_bytes().decode() == pem("a")


def test_mirrors_are_rendered_for_each_tool(host, image):
    environ = {"PIP_INDEX_URL": "https://u:s3cret@pypi.example/simple", "https_proxy": "http://proxy.example:3128"}
    host.write("/home/.npmrc", "registry=https://npm.example/\n")
    found = trust(host, **environ)
    files = found.files_for(image.view)
    assert files["/etc/pip.conf"].data.decode() == (
        "[global]\nindex-url = https://u:s3cret@pypi.example/simple\nproxy = http://proxy.example:3128\n"
    )
    assert "https-proxy=http://proxy.example:3128" in files["/usr/local/etc/npmrc"].data.decode()
    assert found.secrets == ("s3cret",)
    assert "s3cret" not in repr(found.mirrors) + repr(files)
