#!/bin/sh
# Unpacks Debian's Docker where tests find it. It is not installed: that would start a daemon for good.
#
# Idempotent: apt's signed index says which versions, and they are fetched again only when it names others. Prints the
# folder that they are in. Without root or apt nothing is fetched, and the tests that want Docker are skipped.
set -eu

# Of what they depend on, the rest is in every Debian, or brought by ci/setup.sh (runc).
packages="docker.io containerd tini libdevmapper1.02.1"

folder=${XDG_CACHE_HOME:-$HOME/.cache}/sealane-tools/docker
echo "$folder"
say() { echo "sealane: $*" >&2; }
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { say "no apt here for us, so no Docker for tests"; exit 0; }

# shellcheck disable=SC2086
index() { apt-get download -qq --print-uris $packages; }

wanted=$(index 2>/dev/null) || { apt-get update -qq && wanted=$(index); } ||
    { say "apt knows no Docker, so its tests are skipped"; exit 0; }
[ "$(cat "$folder/complete" 2>/dev/null)" = "$wanted" ] && exit 0

say "fetching $packages"
rm -rf "$folder"
mkdir -p "$folder/packages"
# shellcheck disable=SC2086
(cd "$folder/packages" && apt-get download -qq -o APT::Sandbox::User=root $packages) ||
    { say "Docker could not be fetched, so its tests are skipped"; exit 0; }
for package in "$folder/packages/"*.deb; do dpkg --extract "$package" "$folder"; done
rm -r "$folder/packages"
printf '%s\n' "$wanted" >"$folder/complete"
