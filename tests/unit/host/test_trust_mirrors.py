"""Reading the host's package mirrors."""

from pathlib import Path

from sealane_engine.host import mirrors
from sealane_engine.host.mirrors import Mirrors, credentials, find_mirrors


def read(tmp_path, monkeypatch, *, environ=None, apt=(), **files):
    monkeypatch.setattr(mirrors, "_apt", lambda: apt)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return find_mirrors(tmp_path, tmp_path / "home", environ or {})


def test_nothing_set_is_nothing_found(tmp_path, monkeypatch):
    assert read(tmp_path, monkeypatch) == Mirrors()


def test_pips_files_and_environment_in_its_own_order(tmp_path, monkeypatch):
    found = read(
        tmp_path,
        monkeypatch,
        **{
            "etc/pip.conf": "[global]\nindex-url = https://one.example/simple\ntrusted-host = one.example\n",
            "home/.config/pip/pip.conf": "[install]\nindex-url = https://two.example/simple\n",
        },
        environ={"PIP_EXTRA_INDEX_URL": "https://three.example https://four.example"},
    )
    assert found.pip == {
        "index-url": ("https://two.example/simple",),
        "extra-index-url": ("https://three.example", "https://four.example"),
        "trusted-host": ("one.example",),
    }


def test_what_only_the_host_has_is_left_out(tmp_path, monkeypatch):
    environ = {
        "PIP_FIND_LINKS": "/opt/wheels",
        "https_proxy": "http://127.0.0.1:3128",
    }
    found = read(tmp_path, monkeypatch, environ=environ, **{"home/.npmrc": "yes=false\n"})
    assert found == Mirrors()


def test_npms_credentials_go_along_for_the_mirror_only(tmp_path, monkeypatch):
    text = (
        "; a comment\nregistry=https://npm.example/a/\n@ours:registry=https://ours.example\n"
        "//npm.example/a/:_authToken=${TOKEN}\n//other.example/:_authToken=never\ncafile=/x\n"
    )
    found = read(tmp_path, monkeypatch, environ={"TOKEN": "t0ken"}, **{"home/.npmrc": text})
    assert found.npm == {
        "registry": "https://npm.example/a/",
        "@ours:registry": "https://ours.example",
        "//npm.example/a/:_authToken": "t0ken",
    }
    assert found.secrets == ("t0ken",)


def test_credentials_are_secrets_as_written_and_as_meant(tmp_path, monkeypatch):
    found = read(
        tmp_path,
        monkeypatch,
        environ={"HTTP_PROXY": "http://me:p%40ss@proxy.example"},
        apt=('Acquire::http::Proxy "http://a:b1gsecret@apt.example";',),
    )
    assert set(found.secrets) == {"p%40ss", "p@ss", "b1gsecret"}
    assert not any(secret in repr(found) for secret in found.secrets)
    assert credentials("https://token@pypi.example") == {"token"}
    assert credentials("https://[bad") == set()


def test_a_damaged_file_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    Path(tmp_path / "etc/pip.conf").write_bytes(b"\xff\xfe")
    assert read(tmp_path, monkeypatch, **{"home/.pip/pip.conf": "no section\n"}) == Mirrors()
