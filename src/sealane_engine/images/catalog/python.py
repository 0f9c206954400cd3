"""python: Debian's interpreter moved to /usr/local, where the official images have theirs.

Debian's own layout would be noticed: `dist-packages`, an externally managed prefix, `pip install --prefix` into
`…/local`, no `python`. So the packages are unpacked, not installed: the interpreter and its library go to /usr/local,
Debian's changes to site, sysconfig and distutils are taken back, and dpkg knows of no Python, as in the official image.
What the interpreter links to is installed as usual.
"""

from __future__ import annotations

from dataclasses import dataclass

from sealane_engine.images.catalog.recipe import DEFAULT_PATH, AddedFile, Recipe


@dataclass(frozen=True, slots=True)
class _Python:
    """`libraries` are installed; `parts` are unpacked into /usr/local; `wheels` are installed by the interpreter's pip."""

    version: str
    suite: str
    patch: str
    libraries: tuple[str, ...]
    parts: tuple[str, ...]
    wheels: tuple[str, ...]
    tags: tuple[str, ...]
    lang: bool = True
    also: tuple[str, ...] = ()


_COMMON = ("ca-certificates", "media-types", "netbase", "tzdata", "zlib1g", "libbz2-1.0", "libcrypt1", "libexpat1", "liblzma5", "libncursesw6", "libnsl2", "libsqlite3-0", "libtinfo6", "libuuid1")  # fmt: skip

_PYTHONS = (
    _Python(
        "3.11", "bookworm", "3.11.2",
        (*_COMMON, "libdb5.3", "libffi8", "libreadline8", "libssl3", "libtirpc3"),
        ("python3-distutils", "python3-lib2to3", "python3-pip-whl", "python3-setuptools-whl", "python3-wheel-whl"),
        ("pip", "setuptools", "wheel"),
        ("3.11-slim", "3.11-slim-bookworm", "3.11", "3.11-bookworm"),
    ),
    _Python(
        "3.9", "bullseye", "3.9.2",
        (*_COMMON, "libdb5.3", "libffi7", "libmpdec3", "libreadline8", "libssl1.1", "libtirpc3"),
        ("python3-distutils", "python3-lib2to3", "python3-pip-whl", "python3-setuptools-whl", "python3-wheel-whl"),
        ("pip", "setuptools", "wheel"),
        ("3.9-slim", "3.9-slim-bullseye", "3.9", "3.9-bullseye"),
        also=("bookworm",),  # a pip that brings its own dependencies along, as the official image's does
    ),
    _Python(
        "3.13", "trixie", "3.13.5",
        (*_COMMON, "libdb5.3t64", "libffi8", "libreadline8t64", "libssl3t64", "libtirpc3t64"),
        ("python3-pip-whl",),
        ("pip",),
        ("3.13-slim", "3.13-slim-trixie", "3.13", "3.13-trixie"),
        lang=False,
    ),
)  # fmt: skip

# $V is the version. Run by root in the sandbox, /tmp/debs holds the packages that are unpacked.
_UNPACK = """
mkdir /tmp/debs /tmp/root
cd /tmp/debs
apt-get -q -o APT::Sandbox::User=root download python$V python$V-minimal libpython$V-minimal libpython$V-stdlib \\
    libpython$V-dev python$V-venv $PARTS
for deb in *.deb; do dpkg-deb --extract "$deb" /tmp/root; done
cd /tmp/root/usr
lib=lib/python$V
find $lib include -name '*.a' -delete
rm -rf $lib/EXTERNALLY-MANAGED $lib/sitecustomize.py $lib/_distutils_system_mod.py $lib/test $lib/LICENSE.txt
for header in include/*/python$V/pyconfig.h; do mv "$header" include/python$V/pyconfig.h; done
mkdir -p /usr/local/include $lib/site-packages $lib/ensurepip/_bundled
cp -a $lib /usr/local/lib/
cp -a include/python$V /usr/local/include/
cp -a bin/python$V bin/pydoc$V /usr/local/bin/
cp share/python-wheels/*.whl /usr/local/$lib/ensurepip/_bundled/
cd /usr/local/bin
sed -i "1s,^#!.*,#!/usr/local/bin/python$V," pydoc$V
ln -s python$V python3
ln -s python3 python
ln -s pydoc$V pydoc3
ln -s pydoc3 pydoc
ldconfig
"""

# Debian asks whether this is a virtual environment before it behaves like any other Python: here it always does.
_UNPATCH = r"""
/usr/local/bin/python - <<'PATCH'
import base64, hashlib, pathlib, re, sys, zipfile
lib = pathlib.Path(f"/usr/local/lib/python{sys.version_info[0]}.{sys.version_info[1]}")
bundled = f"{lib}/ensurepip/_bundled"

def change(name, *changes):
    file = lib / name
    text = file.read_text()
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        assert count, f"{name} has no {pattern}: the package is not as expected"
    file.write_text(text)

asks = (r"sys\.base_prefix != sys\.prefix or hasattr\(sys, ['\"]real_prefix['\"]\)", "True")
enabled = (r"(?m)^    _ensurepip_is_disabled_in_debian_for_system\(\)\n", "")
if sys.version_info < (3, 10):
    change("distutils/sysconfig.py", (r"'real_prefix' not in sys\.__dict__", "False"))
    change("distutils/command/install.py", (r"'real_prefix' in sys\.__dict__", "True"))
    change("ensurepip/__init__.py", enabled, ("/usr/share/python-wheels", bundled), (r'    "pkg_resources",\n', ""))
else:
    change("sysconfig/__init__.py" if (lib / "sysconfig").is_dir() else "sysconfig.py", asks)
    change("ensurepip/__init__.py", enabled)
    if (lib / "distutils").is_dir():
        change("distutils/sysconfig.py", asks)
for file in lib.glob("_sysconfigdata_*.py"):
    text = file.read_text().replace("'/usr/share/python-wheels/'", repr(bundled))
    file.write_text(re.sub(r"'/usr(?=/(?:lib/python3|include/python3|bin)|')", "'/usr/local", text))

# Debian's setuptools asks an installation for its layout, which only Debian's distutils know.
neutral = {
    "setuptools/_distutils/command/install.py": (
        b"class install(Command):\n", b"class install(Command):\n    install_layout = prefix_option = None\n"
    ),
    "setuptools/command/easy_install.py": (b"dist-packages", b"site-packages"),
}
for wheel in pathlib.Path(bundled).glob("setuptools-*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        members = {each: archive.read(each) for each in archive.infolist()}
    changed = {}
    for each in members:
        if each.filename in neutral:
            old, new = neutral[each.filename]
            assert old in members[each], f"{each.filename} is not as expected"
            members[each] = members[each].replace(old, new)
            digest = base64.urlsafe_b64encode(hashlib.sha256(members[each]).digest()).rstrip(b"=").decode()
            changed[each.filename] = f"{each.filename},sha256={digest},{len(members[each])}"
    assert len(changed) == len(neutral), f"{wheel.name} is not as expected"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in members.items():
            if each.filename.endswith(".dist-info/RECORD"):
                lines = data.decode().splitlines()
                data = "".join(changed.get(line.split(",")[0], line) + "\n" for line in lines).encode()
            archive.writestr(each, data)
PATCH
"""

# `site` is frozen into the interpreter from 3.11 on, and looks into Debian's dist-packages only: a line there leads on.
_SITE = r"""\
import os
import sys
import site


def getsitepackages(prefixes=None):
    found = []
    for prefix in site.PREFIXES if prefixes is None else prefixes:
        path = os.path.join(prefix, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
        if prefix and path not in found:
            found.append(path)
    return found


site.getsitepackages = getsitepackages
_here = "/usr/local/lib/python%d.%d" % sys.version_info[:2]
sys.path[:] = [path for path in sys.path if path != _here + "/dist-packages"]
site.addsitedir(_here + "/site-packages")
"""

_PIP = """
cd /usr/local/lib/python$V/ensurepip/_bundled
for wheel in $WHEELS; do
    PYTHONPATH=$(echo /usr/local/lib/python$V/ensurepip/_bundled/pip-*.whl) PYTHONDONTWRITEBYTECODE=1 \\
        python -m pip install --no-cache-dir --no-compile --no-index --no-deps --root-user-action=ignore $wheel-*.whl
done
find /usr/local/lib/python$V -name __pycache__ -prune -exec rm -rf {} +
# Never compared with its source again: the source is part of this layer.
python -m compileall -q -f --invalidation-mode unchecked-hash /usr/local/lib/python$V || true
"""


def _python(python: _Python) -> Recipe:
    variables = f'V={python.version} PARTS="{" ".join(python.parts)}" WHEELS="{" ".join(python.wheels)}"\n'
    env = [("PATH", f"/usr/local/bin:{DEFAULT_PATH}"), ("PYTHON_VERSION", python.patch)]
    if python.lang:
        env.insert(1, ("LANG", "C.UTF-8"))
    lib = f"/usr/local/lib/python{python.version}"
    return Recipe(
        name=f"python:{python.version}-slim",
        suite=python.suite,
        also=python.also,
        names=tuple(f"python:{tag}" for tag in python.tags),
        packages=python.libraries,
        files=(
            AddedFile(f"{lib}/_site_packages.py", _SITE),
            AddedFile(f"{lib}/dist-packages/site-packages.pth", "import _site_packages\n"),
        ),
        script=f"{variables}{_UNPACK}{_UNPATCH}{_PIP}",
        env=tuple(env),
        cmd=("python3",),
    )


RECIPES = tuple(_python(python) for python in _PYTHONS)
