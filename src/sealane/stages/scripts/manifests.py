"""Prints, as JSON, what an OCI layout in a tar file holds: the descriptor it names, and that manifest's text."""

import json
import sys
import tarfile


def read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        sys.exit(f"{name} is no file")
    return file.read()


with tarfile.open(sys.argv[1]) as layout:
    top = json.loads(read(layout, "index.json"))["manifests"][0]
    manifest = read(layout, f"blobs/{top['digest'].replace(':', '/')}")
sys.stdout.write(json.dumps({"top": top, "manifest": manifest.decode()}))
