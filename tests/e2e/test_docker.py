"""The tarball that `build` writes is loaded by Debian's Docker, which runs what is in it."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from .docker import docker

pytestmark = [pytest.mark.needs("root", "network"), pytest.mark.timeout(900)]

# The second layer takes away and replaces what the first has: whiteouts are read by Docker, too.
DOCKERFILE = """\
FROM debian:bookworm-slim
RUN mkdir -p /made/gone /made/kept && touch /made/gone/file /made/kept/file /made/old && useradd --create-home app
RUN rm -r /made/gone /made/old && echo new > /made/new && chown app /made/new && ln -s new /made/link \\
 && ln /made/new /made/hard
ENV GREETING="hello there"
WORKDIR /made
USER app
HEALTHCHECK --interval=1s CMD test "$(cat /tmp/said)" = "$GREETING"
ENTRYPOINT ["sh", "-c", "echo $GREETING | tee /tmp/said; exec sleep 600"]
"""


@pytest.mark.needs("docker")
def test_the_tarball_is_loaded_and_run_by_docker(environ: dict[str, str], tmp_path: Path):
    project, archive = tmp_path / "parts", tmp_path / "image.tar"
    project.mkdir()
    (project / "Dockerfile").write_text(DOCKERFILE)
    command = ["sealane", "call", "--source", str(project), "build", "tarball", "-o", str(archive)]
    allowed = {**environ, "SEALANE_ALLOW": "catalog:*"}
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=root, env=allowed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with docker(tmp_path) as run:
        name = run("load", "--quiet", "--input", str(archive)).rpartition("Loaded image ID: ")[2]
        with tarfile.open(archive) as layout:
            listed = layout.extractfile("manifest.json")
            assert listed is not None
            config = json.load(listed)[0]["Config"].rpartition("/")[2]
        assert name == f"sha256:{config}"
        container = run("run", "--detach", "--network", "none", name)
        run.until_healthy(container, 60)
        assert run("logs", container) == "hello there"
        shown = run("exec", container, "sh", "-c", "id -un; pwd; ls -1; stat -c '%U %h' new; cat link").splitlines()
        assert shown == ["app", "/made", "hard", "kept", "link", "new", "app 2", "new"]
        run("rm", "--force", container)
