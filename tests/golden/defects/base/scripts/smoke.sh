#!/bin/sh
# Says whether the service can be imported.
set -eu

folder=${1:-.}
cd "$folder"
python -c "import app"
