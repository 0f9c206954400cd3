"""redis: Debian's server, started as the official image starts it."""

from __future__ import annotations

from sealane_engine.images.catalog.recipe import AddedFile, Recipe

_ENTRYPOINT = r"""#!/bin/sh
# Start Redis as a container's main process.
set -eu

# Options or a configuration file alone are arguments of the server.
case ${1:-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec gosu redis "$0" "$@"
    fi
    # A container's port is closed unless someone opens it, so Redis need not guard it; whoever configures it decides.
    shift
    decided=no
    for argument; do
        case $argument in
            --protected-mode) decided=yes ;;
            *.conf) if grep -q '^[[:space:]]*protected-mode[[:space:]]' "$argument" 2> /dev/null; then decided=yes; fi ;;
        esac
    done
    if [ "$decided" = no ]; then
        case ${1:-} in
            '' | -*) set -- --protected-mode no "$@" ;;
            *) file=$1; shift; set -- "$file" --protected-mode no "$@" ;;
        esac
    fi
    set -- redis-server "$@"
    if [ "$(umask)" = 0022 ]; then umask 0077; fi
fi

exec "$@"
"""

_BEFORE = """
groupadd --system --gid 999 redis
useradd --system --uid 999 --gid redis --home-dir /data --shell /usr/sbin/nologin redis
"""

RECIPES = (
    Recipe(
        name="redis:7",
        suite="bookworm",
        names=("redis:7", "redis:7-bookworm", "redis:7.0", "redis:7.0-bookworm"),
        packages=("gosu", "redis-server", "tzdata"),
        before=_BEFORE,
        files=(AddedFile("/usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT, 0o755),),
        script="\ninstall --directory --owner redis --group redis /data\n",
        entrypoint=("docker-entrypoint.sh",),
        cmd=("redis-server",),
        ports=("6379/tcp",),
        volumes=("/data",),
        workdir="/data",
    ),
)
