"""node: Debian's runtime with the npm that the official image has.

Debian's own npm is 345 packages; the one from the npm registry is one archive, checked against its digest.
"""

from __future__ import annotations

from sealane_engine.images.catalog.recipe import AddedFile, Download, Recipe

NPM_VERSION = "10.8.2"
_NPM_SHA512 = "x/AIjFIKRllrhcb48dqUNAAZl0ig9+qMuN91RpZo3Cb2+zuibfh+KISl6+kVVyktDz230JKc208UkQwwMqyB+w=="

_ENTRYPOINT = """#!/bin/sh
# Whatever is no command is an argument of node.
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
    set -- node "$@"
fi
exec "$@"
"""

_BEFORE = """
groupadd --gid 1000 node
useradd --uid 1000 --gid node --shell /bin/bash --create-home node
"""

# npm installs globally beside the node that runs it: below /usr/local, as in the official image.
_SCRIPT = """
cp /usr/bin/node /usr/local/bin/node
ln -s node /usr/local/bin/nodejs
mkdir -p /usr/local/lib/node_modules/npm
tar -x -z -f /usr/local/src/npm.tgz -C /usr/local/lib/node_modules/npm --strip-components=1 --no-same-owner
rm -rf /usr/local/src/npm.tgz /usr/local/lib/node_modules/npm/docs /usr/local/lib/node_modules/npm/man
chmod 755 /usr/local/lib/node_modules/npm/bin/npm-cli.js /usr/local/lib/node_modules/npm/bin/npx-cli.js
ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
npm --version > /dev/null
rm -rf /root/.npm
"""

RECIPES = (
    Recipe(
        name="node:18-slim",
        suite="bookworm",
        names=("node:18-slim", "node:18-bookworm-slim", "node:18", "node:18-bookworm"),
        packages=("ca-certificates", "nodejs"),
        before=_BEFORE,
        files=(AddedFile("/usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT, 0o755),),
        downloads=(Download("npm", f"npm/-/npm-{NPM_VERSION}.tgz", _NPM_SHA512, "/usr/local/src/npm.tgz"),),
        script=_SCRIPT,
        env=(("NODE_VERSION", "18.20.4"),),
        entrypoint=("docker-entrypoint.sh",),
        cmd=("node",),
    ),
)
