"""What the models of the configuration are made of: names with dashes, and values that several of them have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

StageName = Literal["lint", "test", "scan", "build", "image-scan", "sbom"]
Category = Literal["unit", "integration", "e2e", "performance"]


def dashes(name: str) -> str:
    return name.replace("_", "-")


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("must be a path inside the project")
    return path


Inside = Annotated[str, AfterValidator(_inside)]
Version = Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
Alias = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Platform = Annotated[str, Field(pattern=r"^linux/[a-z0-9]+(/v[0-9]+)?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Branch = Annotated[str, Field(pattern=r"^[\w./-]+$")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=dashes, populate_by_name=True)
