"""postgres: Debian's server with the start-up contract of the official image (POSTGRES_… variables, init scripts)."""

from __future__ import annotations

from sealane_engine.images.catalog.recipe import DEFAULT_PATH, AddedFile, Recipe

_ENTRYPOINT = r"""#!/bin/bash
# Start PostgreSQL as a container's main process; make and fill the database cluster the first time.
set -Eeuo pipefail

fail() { printf '%s\n' "$@" >&2; exit 1; }

# setting NAME DEFAULT: NAME from the environment, or from the file that NAME_FILE names.
setting() {
    local name=$1 file="$1_FILE" value=${2-}
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        fail "Error: both $name and $file are set, but only one of them may be"
    fi
    if [ -n "${!name:-}" ]; then value=${!name}; elif [ -n "${!file:-}" ]; then value=$(<"${!file}"); fi
    export "$name"="$value"
    unset "$file"
}

wants_help() {
    local argument
    for argument; do
        case $argument in
            -'?' | --help | --describe-config | -V | --version) return 0 ;;
        esac
    done
    return 1
}

make_directories() {
    mkdir -p "$PGDATA" && chmod 700 "$PGDATA" || true
    mkdir -p /var/run/postgresql && chmod 3775 /var/run/postgresql || true
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR" && chmod 700 "$POSTGRES_INITDB_WALDIR"
    fi
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    fi
}

check_password() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        fail 'Error: Database is uninitialized and superuser password is not specified.' \
            '       Set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) to a password for the superuser,' \
            '       or POSTGRES_HOST_AUTH_METHOD=trust to let every connection in without one.'
    fi
    if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
        echo 'WARNING: POSTGRES_HOST_AUTH_METHOD is "trust": whoever reaches the port is the superuser.' >&2
    fi
}

make_cluster() {
    if ! getent passwd "$(id -u)" >/dev/null; then
        # initdb wants a name for this user.
        NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
        export LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
        echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" > "$NSS_WRAPPER_PASSWD"
        echo "postgres:x:$(id -g):" > "$NSS_WRAPPER_GROUP"
    fi
    local waldir=()
    [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || waldir=(--waldir "$POSTGRES_INITDB_WALDIR")
    # The arguments are words of a shell, as the official image has it.
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") "${waldir[@]}" '"${POSTGRES_INITDB_ARGS:-}"
    if [ -n "${NSS_WRAPPER_PASSWD:-}" ]; then
        rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
        unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    fi
    local method=$POSTGRES_HOST_AUTH_METHOD
    [ -n "$method" ] || method=$(postgres -C password_encryption "${@:2}")
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
}

# While it is being filled, the server listens on its socket only: nobody takes it for ready.
start_private() {
    set -- "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}"
    NOTIFY_SOCKET='' PGUSER="${PGUSER:-$POSTGRES_USER}" \
        pg_ctl --pgdata "$PGDATA" --options "$(printf '%q ' "$@")" --wait start
}

stop_private() { PGUSER="${PGUSER:-postgres}" pg_ctl --pgdata "$PGDATA" --mode fast --wait stop; }

run_sql() {
    local database=()
    [ -z "${POSTGRES_DB:-}" ] || database=(--dbname "$POSTGRES_DB")
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" "${database[@]}" "$@"
}
# What an init script written for the official image may call.
docker_process_sql() { run_sql "$@"; }

make_database() {
    local there
    there=$(POSTGRES_DB='' run_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only <<< "SELECT 1 FROM pg_database WHERE datname = :'db';")
    if [ -z "$there" ]; then
        POSTGRES_DB='' run_sql --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    fi
}

run_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
            *.sh)
                if [ -x "$script" ]; then
                    echo "$0: running $script"
                    "$script"
                else
                    echo "$0: sourcing $script"
                    . "$script"
                fi
                ;;
            *.sql) echo "$0: running $script"; run_sql -f "$script"; echo ;;
            *.sql.gz) echo "$0: running $script"; gunzip -c "$script" | run_sql; echo ;;
            *.sql.xz) echo "$0: running $script"; xzcat "$script" | run_sql; echo ;;
            *.sql.zst) echo "$0: running $script"; zstd -dc "$script" | run_sql; echo ;;
            '/docker-entrypoint-initdb.d/*') ;;
            *) echo "$0: ignoring $script" ;;
        esac
    done
}

main() {
    if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi
    if [ "${1:-}" != postgres ] || wants_help "$@"; then exec "$@"; fi
    make_directories
    if [ "$(id -u)" = 0 ]; then exec gosu postgres "$BASH_SOURCE" "$@"; fi
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
    if [ -s "$PGDATA/PG_VERSION" ]; then
        printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
        check_password
        ls /docker-entrypoint-initdb.d/ > /dev/null
        make_cluster "$@"
        export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
        start_private "$@"
        make_database
        run_scripts
        stop_private
        unset PGPASSWORD
        printf '\nPostgreSQL init process complete; ready for start up.\n\n'
    fi
    exec "$@"
}

main "$@"
"""

# Before the packages: the ids of the official image, and no cluster of the package's own.
_BEFORE = """
groupadd --system --gid 999 postgres
useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
"""

_SCRIPT = """
localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8
rm -f /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/ssl/private/ssl-cert-snakeoil.key
find /etc/ssl/certs -xtype l -delete
sed -i 's,^ NEW = /tmp/.*, NEW = ,' /var/cache/debconf/config.dat
sed -i "s/^#\\?listen_addresses *= *'localhost'/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample
grep -q "^listen_addresses = '\\*'" /usr/share/postgresql/15/postgresql.conf.sample
install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
install --directory --owner postgres --group postgres --mode 1777 "/var/lib/postgresql/data"
chown postgres:postgres /var/lib/postgresql
mkdir /docker-entrypoint-initdb.d
"""

RECIPES = (
    Recipe(
        name="postgres:15",
        suite="bookworm",
        names=("postgres:15", "postgres:15-bookworm"),
        packages=("gosu", "libnss-wrapper", "locales", "postgresql-15", "tzdata", "xz-utils", "zstd"),
        before=_BEFORE,
        files=(AddedFile("/usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT, 0o755),),
        script=_SCRIPT,
        env=(
            ("PATH", f"{DEFAULT_PATH}:/usr/lib/postgresql/15/bin"),
            ("LANG", "en_US.utf8"),
            ("PG_MAJOR", "15"),
            ("PGDATA", "/var/lib/postgresql/data"),
        ),
        entrypoint=("docker-entrypoint.sh",),
        cmd=("postgres",),
        ports=("5432/tcp",),
        volumes=("/var/lib/postgresql/data",),
        stop_signal="SIGINT",
    ),
)
