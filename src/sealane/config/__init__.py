"""The configuration of a project: `[tool.sealane]` in `pyproject.toml`, or `sealane.toml`. Pydantic models only.

Every key may be left out: what is not said is found in the project itself (see `stages.project`).
Keys are written with dashes (`max-fail`); underscores work too. An unknown key is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

from pydantic import ByteSize, Field

from sealane.config.gates import GatesConfig
from sealane.config.image import BuildConfig, PublishConfig, VerifyConfig
from sealane.config.model import Alias, Branch, Category, Inside, Model, StageName, Version
from sealane.config.stages import FrontendConfig, LintConfig, ScanConfig, ServicesConfig, TestConfig
from sealane.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


# `*` is any text; nothing in it has a meaning in a regular expression but the dot, which `render` escapes.
TagPattern = Annotated[str, Field(pattern=r"^[\w.*-][\w./*-]*$")]


class CiConfig(Model):
    """The wrappers of CI vendors: which pushes (`branches`) and pull requests (to `base`) run; `timeout` in minutes.
    `tags` are patterns like `v*`; without one no wrapper runs for a tag.

    `nightly` is when the security run starts, as cron says it (minute, hour, day, month, weekday; UTC). `environments`
    are what a run that is started by hand can be for, the first by default. `runner_host` is the Dagger engine of
    wrappers with `--engine kubernetes`. `command` is a script of the project that gets the words `ci run`; left out, sealane is installed from the index.
    `deploy` is a script of the project that gets an environment's name: with it wrappers have a job for each of
    `environments`, the first by itself, the others for `base` alone and after a person's approval.
    `cache` is how large what the vendor's cache keeps between runs may be (`2GB`); 0 for none.
    """

    name: str = "Sealane"
    branches: tuple[Branch, ...] = ("main", "develop")
    base: tuple[Branch, ...] = ("main",)
    tags: tuple[TagPattern, ...] = ()
    source: Inside = "."
    command: Annotated[str, Field(pattern=r"^[\w./-]*$")] = ""
    deploy: Annotated[str, Field(pattern=r"^[\w./-]*$")] = ""
    timeout: int = Field(default=60, ge=1)
    nightly: Annotated[str, Field(pattern=r"^[\d*/,-]+( [\d*/,-]+){4}$")] = "0 2 * * *"
    runner_host: Annotated[str, Field(pattern=r"^(tcp|unix)://[\w.:/-]+$")] = "tcp://dagger-engine.dagger:1234"
    environments: tuple[Alias, ...] = Field(default=("staging", "production"), min_length=1)
    cache: ByteSize = Field(default=ByteSize(2_000_000_000), ge=0)


class Config(Model):
    """All of it. `timeout` (seconds) bounds each stage, `timeouts` one by its name."""

    python: Version = "3.11"
    node: Version = "18"
    stages: tuple[StageName, ...] = ("lint", "test", "scan", "build", "image-scan", "sbom")
    timeout: int = Field(default=3600, ge=1)
    timeouts: dict[StageName, Annotated[int, Field(ge=1)]] = {}
    lint: LintConfig = LintConfig()
    test: TestConfig = TestConfig()
    scan: ScanConfig = ScanConfig()
    services: ServicesConfig = ServicesConfig()
    build: BuildConfig = BuildConfig()
    publish: PublishConfig = PublishConfig()
    verify: VerifyConfig = VerifyConfig()
    frontend: FrontendConfig = FrontendConfig()
    gates: GatesConfig = GatesConfig()
    ci: CiConfig = CiConfig()

    def limit(self, stage: str) -> int:
        """How long a stage may take, in seconds."""
        return next((seconds for name, seconds in self.timeouts.items() if name == stage), self.timeout)

    def with_categories(self, categories: Sequence[str]) -> Config:
        """With the categories of tests that are asked for; none: those of the configuration.

        Raises ConfigError (`bad-value`) for a word that is no category.
        """
        if not categories:
            return self
        known = get_args(Category)
        wrong = [name for name in categories if name not in known]
        if wrong:
            raise ConfigError(
                f"there are no tests of the category `{wrong[0]}`",
                reason="bad-value",
                hint=f"Known categories: {', '.join(known)}.",
            )
        return self.model_copy(update={"test": self.test.model_copy(update={"categories": tuple(categories)})})

    @property
    def python_image(self) -> str:
        return f"python:{self.python}-slim"

    @property
    def node_image(self) -> str:
        return f"node:{self.node}-slim"
