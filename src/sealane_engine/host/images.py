"""The image store of the client's machine: an archive is loaded by the first container engine that is installed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from sealane_engine.errors import HostError

LOADERS = ("docker", "podman", "finch", "nerdctl")


async def load_image(archive: Path) -> None:
    """Raises HostError (`no-image-store`, `image-not-loaded`)."""
    tool = next((each for each in LOADERS if shutil.which(each)), None)
    if tool is None:
        raise HostError(
            f"none of {', '.join(LOADERS)} is installed",
            reason="no-image-store",
            hint="install one of them, or write the image to a file: export",
        )
    process = await asyncio.create_subprocess_exec(
        tool,
        "load",
        "--input",
        str(archive),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = said.decode(errors="replace").strip()[-500:]
        raise HostError(f"{tool} load failed: {text}", reason="image-not-loaded", hint=f"is {tool}'s daemon running?")
