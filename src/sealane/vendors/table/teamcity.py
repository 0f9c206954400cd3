"""TeamCity. Most of what it knows are parameters, not variables: the wrapper hands them over as SEALANE_…"""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event
from sealane.vendors.table.vendor import Vendor

NAME = "teamcity"


def read(environ: Environ) -> Context:
    return Context(NAME, Event.PUSH, commit=environ.get("BUILD_VCS_NUMBER", ""), run_url=environ.get("BUILD_URL", ""))


VENDOR = Vendor(
    NAME,
    "TeamCity",
    source="jetbrains.com/help/teamcity/predefined-build-parameters.html",
    marks=lambda environ: bool(environ.get("TEAMCITY_VERSION")),
    read=read,
)
