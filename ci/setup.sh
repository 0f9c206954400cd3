# Makes this clone ready: system packages, then .venv from requirements.lock. Sourced by ci/pipeline and ci/test.
#
# Idempotent, and silent when there is nothing to do. Afterwards the commands of .venv come first on PATH.
# shellcheck shell=sh

# command:package of what the engine needs of the system. What only its tests want, ci/test names in test_tools.
engine_tools="mmdebstrap:mmdebstrap newuidmap:uidmap pasta:passt git:git"

say() { printf 'sealane: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# Run a command whose output matters only when it fails.
quietly() {
    log=$(mktemp)
    "$@" >"$log" 2>&1 && rm -f "$log" && return
    cat "$log" >&2
    rm -f "$log"
    return 1
}

missing_packages() {
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || printf '%s ' "${pair##*:}"
    done
}

# Python 3.11 or newer; prints the command.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$candidate" && return
    done
    return 1
}

# What Python packages the system lacks: the interpreter itself, or the part of Debian's that makes environments.
missing_python() {
    if ! found=$(find_python); then echo "python3 python3-venv"
    elif ! command -v uv >/dev/null && ! "$found" -c 'import ensurepip, venv' 2>/dev/null; then echo "python3-venv"
    fi
}

install_system_packages() {
    # shellcheck disable=SC2086
    needed=$(missing_packages $engine_tools; missing_python)
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || needed="$needed debian-archive-keyring"
    # shellcheck disable=SC2086
    wanted="$needed $(missing_packages ${test_tools:-})"
    needed=$(echo $needed) wanted=$(echo $wanted)
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        [ -z "$wanted" ] && return
        say "installing $wanted"
        # shellcheck disable=SC2086
        quietly env DEBIAN_FRONTEND=noninteractive sh -c \
            'apt-get update -q && apt-get install -q -y --no-install-recommends "$@"' apt $wanted ||
            die "apt-get could not install: $wanted"
    elif [ -n "$needed" ]; then
        die "this machine lacks $needed; run: sudo apt-get install --no-install-recommends -y $needed"
    fi
}

make_environment() {
    # The lock, and of pyproject.toml what an installation is made of: settings of tools are no reason to make it again.
    stamp=$( (cat requirements.lock && sed '/^\[dependency-groups\]/,$d' pyproject.toml) | sha256sum)
    [ "$(cat .venv/.complete 2>/dev/null)" = "$stamp" ] && .venv/bin/python -c '' 2>/dev/null && return
    python=$(find_python) || die "Python 3.11 or newer is needed: install python3 of at least that version"
    say "making .venv from requirements.lock"
    .venv/bin/python -c '' 2>/dev/null || rm -rf .venv
    if ! { command -v uv >/dev/null && with_uv; } then
        with_pip || die "the packages of requirements.lock could not be installed: see above"
    fi
    printf '%s\n' "$stamp" >.venv/.complete
}

with_uv() {
    export UV_NATIVE_TLS=true
    [ -d .venv ] || quietly uv venv --quiet --python "$python" .venv || return
    quietly uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock &&
        quietly uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
}

with_pip() {
    [ -x .venv/bin/pip ] || quietly "$python" -m venv --clear .venv || return
    quietly .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock &&
        PATH="$PWD/.venv/bin:$PATH" quietly .venv/bin/pip install --quiet --disable-pip-version-check \
            --no-deps --no-build-isolation -e .
}

PATH="$PATH:/usr/sbin:/sbin"
install_system_packages
make_environment
PATH="$PWD/.venv/bin:$PATH"
export PATH
