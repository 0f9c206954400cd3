"""The rows of the test matrix: every combination of its axes, and which of them gives coverage."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sealane.config import Config
    from sealane.config.stages import MatrixConfig
    from sealane.stages.project import Project


@dataclass(frozen=True, slots=True)
class Row:
    """One combination. `label` says what is its own, and is empty without a matrix; `missing` is why it can't be had."""

    label: str
    python: str
    env: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    covered: bool = False
    missing: str = ""

    def of(self, project: Project) -> Project:
        """The project as this row sees it."""
        config = project.config
        services = config.services
        changed: dict[str, Any] = {}
        for alias, image in self.images.items():
            for name in ("postgres", "redis"):
                each = getattr(services, name)
                if each is not None and each.alias == alias:
                    changed[name] = each.model_copy(update={"image": image})
        other = {a: s.model_copy(update={"image": self.images.get(a, s.image)}) for a, s in services.other.items()}
        services = services.model_copy(update={**changed, "other": other})
        test = config.test.model_copy(update={"env": {**config.test.env, **self.env}})
        return replace(
            project, config=config.model_copy(update={"python": self.python, "services": services, "test": test})
        )


def rows(config: Config) -> tuple[Row, ...]:
    """All rows. Coverage comes from the first one of the project's own Python, or of the last in the matrix."""
    matrix = config.test.matrix
    if matrix is None:
        return (Row("", config.python, covered=True),)
    main = config.python if config.python in matrix.python else matrix.python[-1]
    found = list(_combined(matrix)) if "linux" in matrix.system else []
    first = next((index for index, row in enumerate(found) if row.python == main), None)
    if first is not None:
        found[first] = replace(found[first], covered=True)
    reason = "an engine's containers are Linux; run these tests on a machine of that system"
    others = [Row(system, main, missing=reason) for system in matrix.system if system != "linux"]
    return (*found, *others)


def _combined(matrix: MatrixConfig) -> Iterator[Row]:
    for python in matrix.python:
        for values in itertools.product(*matrix.env.values()):
            env = dict(zip(matrix.env, values, strict=True))
            for chosen in itertools.product(*matrix.images.values()):
                images = dict(zip(matrix.images, chosen, strict=True))
                words = [f"python {python}", *(f"{k}={v}" for k, v in env.items()), *images.values()]
                yield Row(", ".join(words), python, env, images)
