"""Images of the catalog, built from Debian's packages and run: they behave as the official ones do."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.needs("root", "network", "mmdebstrap", "tun"), pytest.mark.timeout(600)]


def test_debian_tells_nothing_of_the_host(catalog):
    async def check(built):
        view = built.view
        for path in ("/etc/resolv.conf", "/etc/hostname", "/etc/apt/sources.list", "/var/log/dpkg.log"):
            assert not view.exists(path), path
        assert view.listdir("/dev") == []
        assert view.listdir("/var/lib/apt/lists") == ["partial"]
        assert view.read("/etc/machine-id") == b""
        assert b"URIs: http://deb.debian.org/debian\n" in view.read("/etc/apt/sources.list.d/debian.sources")
        assert "12 (bookworm)" in await built.run("cat /etc/os-release")
        assert built.config["Cmd"] == ["bash"]
        assert built.image.origin == "catalog"
        assert built.image.config["rootfs"]["diff_ids"]

    catalog("debian:bookworm-slim", check)


@pytest.mark.parametrize("version", ["3.11", "3.9", "3.13"])
def test_python_is_laid_out_as_in_the_official_image(catalog, version):
    script = f"""
    set -e
    python -c "import sys, site, sysconfig; print(sys.prefix, site.getsitepackages(), sysconfig.get_path('purelib'))"
    python -c "import ssl, sqlite3, ctypes, readline, lzma, bz2, uuid, curses, decimal, zoneinfo; print('modules')"
    pip --version
    mkdir /tmp/p && cd /tmp/p
    printf '[project]\\nname = "p"\\nversion = "1"\\n[project.scripts]\\nsay-p = "p:main"\\n[tool.setuptools]\\npy-modules = ["p"]\\n' > pyproject.toml
    printf 'def main(): print("p runs")\\n' > p.py
    python -m venv /v && /v/bin/pip --version
    export PIP_ROOT_USER_ACTION=ignore PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 PIP_QUIET=1
    if [ {version} != 3.13 ]; then
        pip install . && say-p && pip install --prefix=/install . && ls -d /install/lib/python{version}/site-packages
        /v/bin/python -c "import setuptools.command.install_lib as i, setuptools; d = setuptools.Distribution(); d.get_command_obj('install_lib').ensure_finalized(); print('venv builds')"
        pip uninstall --yes p && pip install --user . && /root/.local/bin/say-p
    fi
    test ! -e /usr/bin/python3 && test -e /usr/local/include/python{version}/Python.h && echo whole
    """

    async def check(built):
        out = await built.run(script)
        packages = f"/usr/local/lib/python{version}/site-packages"
        assert f"/usr/local ['{packages}'] {packages}" in out
        assert "modules" in out
        assert f"from {packages}/pip (python {version})" in out
        assert f"from /v/lib/python{version}/site-packages/pip (python {version})" in out
        assert "whole" in out
        if version != "3.13":  # whose image brings no setuptools
            assert out.count("p runs") == 2
            assert "venv builds" in out
            assert f"/install/lib/python{version}/site-packages" in out
        assert built.config["Cmd"] == ["python3"]

    catalog(f"python:{version}-slim", check)


POSTGRES = """
docker-entrypoint.sh postgres; echo "refused: $?"
mkdir -p /docker-entrypoint-initdb.d
echo 'create table t (a int);' > /docker-entrypoint-initdb.d/1.sql
echo 'insert into t values (7);' | gzip > /docker-entrypoint-initdb.d/2.sql.gz
echo 'echo "script for $POSTGRES_DB"' > /docker-entrypoint-initdb.d/3.sh
export POSTGRES_PASSWORD="it's secret" POSTGRES_USER=me POSTGRES_DB=app
docker-entrypoint.sh postgres -c fsync=off & server=$!
export PGPASSWORD="$POSTGRES_PASSWORD"
address=$(hostname -I | cut -d' ' -f1)
until psql -h "$address" -U me app -c 'select 1' > /dev/null 2>&1; do
    kill -0 $server || exit 1
    sleep 0.1
done
psql -h "$address" -U me app -tAc 'select a from t'
PGPASSWORD=wrong psql -h "$address" -U me app -c 'select 1' 2>&1 | grep -o 'password authentication failed'
grep '^Uid' /proc/$server/status
kill -INT $server; wait $server; echo "ended: $?"
docker-entrypoint.sh postgres & server=$!
until psql -h "$address" -U me app -tAc 'select count(*) from t' 2> /dev/null; do kill -0 $server || exit 1; sleep 0.1; done
kill -INT $server; wait $server
"""


def test_postgres_starts_as_its_variables_say(catalog):
    async def check(built):
        out = await built.run(POSTGRES)
        assert "superuser password is not specified" in out
        assert "refused: 1" in out
        assert "script for app" in out
        assert "\n7\n" in out
        assert "password authentication failed" in out
        assert "Uid:\t999\t999\t999\t999" in out
        assert "ended: 0" in out
        assert "Skipping initialization" in out
        assert built.config["ExposedPorts"] == {"5432/tcp": {}}
        assert built.config["Entrypoint"] == ["docker-entrypoint.sh"]

    catalog("postgres:15", check)


REDIS = """
docker-entrypoint.sh redis-server & server=$!
until redis-cli ping > /dev/null 2>&1; do kill -0 $server || exit 1; sleep 0.1; done
redis-cli -h "$(hostname -I | cut -d' ' -f1)" ping
grep '^Uid' /proc/$server/status
redis-cli shutdown nosave; wait $server
"""


def test_redis_answers_other_machines_and_is_not_root(catalog):
    async def check(built):
        out = await built.run(REDIS)
        assert "PONG" in out
        assert "Uid:\t999\t999\t999\t999" in out
        assert built.config["WorkingDir"] == "/data"

    catalog("redis:7", check)


def test_node_has_npm_and_installs_globally_below_local(catalog):
    async def check(built):
        out = await built.run(
            "docker-entrypoint.sh -p process.version; npm --version; npm prefix -g; npx --version; id node"
        )
        assert out.splitlines()[:4] == ["v18.20.4", "10.8.2", "/usr/local", "10.8.2"]
        assert "uid=1000(node)" in out

    catalog("node:18-slim", check)
