"""A container that forbids what a sandbox is made of is refused at the start, with what to ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sealane_engine.errors import HostError

if TYPE_CHECKING:
    from sealane_engine.sandbox.ids import IdRange

_HARMLESS = "/proc/sys/fs/binfmt_misc"  # systemd mounts it everywhere; it hides nothing
_ALTERNATIVE = "Sealane's wrappers for another engine: `sealane ci generate VENDOR --engine docker` or `kubernetes`"


def suspected(root: Path = Path("/")) -> bool:
    """Whether a seccomp filter holds this process already, or a part of /proc is covered: cheap to see, no proof."""
    status, mounts = (_text(root / "proc/self" / name) for name in ("status", "mountinfo"))
    if "\nSeccomp:\t2" in f"\n{status}":
        return True
    points = (line.split(" ", 5)[4] for line in mounts.splitlines() if line.count(" ") > 5)
    return any(point.startswith("/proc/") and point != _HARMLESS for point in points)


async def check(home: Path, ids: IdRange, *, root: Path = Path("/")) -> None:
    """Try what a sandbox does, where there is reason to. Raises HostError (`container-forbids`)."""
    if not suspected(root):
        return
    from sealane_engine import doctor, trial

    found = await trial.run(doctor.nearest(home), ids, rootless=False)
    for probe in doctor.in_namespace(found, contained=True, root=root):
        if not probe.ok:
            raise HostError(
                f"steps can't run here: {probe.name}: {probe.detail}",
                reason="container-forbids",
                hint=f"{probe.remedy}. {_ALTERNATIVE}",
            )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
