#!/bin/sh
# Builds the Go tools that tests take a second opinion from, where Go is; without it their tests are skipped.
#
# Idempotent: a tool is built again only when its version below changes. Prints the folder that they are in.
# Versions are those that `go list -m -versions MODULE` named as the newest on 2026-11-26; Go checks what it downloads
# against its checksum database.
set -eu

# command module version package
tools="
crane  github.com/google/go-containerregistry v0.22.1 cmd/crane
cosign github.com/sigstore/cosign/v3          v3.1.3  cmd/cosign
"

folder=${XDG_CACHE_HOME:-$HOME/.cache}/sealane-tools
echo "$folder"
command -v go >/dev/null || { echo "sealane: no Go here, so no tools that are built with it" >&2; exit 0; }
mkdir -p "$folder"

echo "$tools" | while read -r command module version package; do
    [ -n "$command" ] || continue
    # The module's line reads: mod MODULE VERSION CHECKSUM
    built=$(go version -m "$folder/$command" 2>/dev/null | awk -v module="$module" '$1 == "mod" && $2 == module { print $3 }')
    [ "$built" = "$version" ] && continue
    echo "sealane: building $command $version" >&2
    GOBIN=$folder GOFLAGS=-trimpath CGO_ENABLED=0 go install "$module/$package@$version" </dev/null ||
        echo "sealane: $command could not be built, so its tests are skipped" >&2
done
