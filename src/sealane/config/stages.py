"""The keys of the stages that look at a project: lint, test, scan, and the services and frontend they need."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from sealane.config.model import Alias, Category, Inside, Model, Port, Variable, Version

LintTool = Literal[
    "black", "isort", "flake8", "pylint", "mypy", "bandit", "ruff", "ruff-format", "eslint", "prettier", "hadolint",
    "actionlint", "zizmor", "shellcheck", "lizard", "complexipy", "jscpd",
]  # fmt: skip
OwnScanner = Literal["semgrep", "secrets", "dependencies", "licences"]
OtherScanner = Literal[
    "codeql", "gitleaks", "npm-audit", "pip-audit", "safety", "semgrep-packs", "snyk", "trivy", "trufflehog"
]
ImageScanner = Literal["trivy", "snyk"]


class LintConfig(Model):
    """What lint runs, of it what has files to look at. `args` replaces a tool's arguments; `paths` is the own code.
    `timeout` (seconds) bounds each tool.
    """

    tools: tuple[LintTool, ...] = (
        "black", "isort", "flake8", "pylint", "mypy", "bandit", "eslint", "prettier", "hadolint", "actionlint", "zizmor",
        "shellcheck", "lizard", "complexipy", "jscpd",
    )  # fmt: skip
    args: dict[LintTool, tuple[str, ...]] = {}
    paths: tuple[Inside, ...] = ()
    requirements: tuple[Inside, ...] | None = None
    timeout: int = Field(default=900, ge=1)


class MatrixConfig(Model):
    """The axes that unit and integration tests run over, every combination in parallel.

    `env` has the values of environment variables, `images` the images of services by alias. A system other than Linux
    is a row that reads *not run*. Coverage comes from `python` of the project alone, or from the last one here.
    """

    python: tuple[Version, ...] = Field(default=("3.9", "3.10", "3.11"), min_length=1)
    system: tuple[Literal["linux", "macos", "windows"], ...] = ("linux",)
    env: dict[Variable, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    images: dict[Alias, Annotated[tuple[str, ...], Field(min_length=1)]] = {}


class ApplicationConfig(Model):
    """What e2e and performance tests talk to: the image of the Dockerfile, or `command` beside the installed project.

    `url_variable` is the environment variable that tells the tests where it is.
    """

    command: tuple[str, ...] = ()
    port: Port | None = None
    env: dict[str, str] = {}
    url_variable: Variable = "BASE_URL"


class PerformanceConfig(Model):
    """The load that Locust makes. `file` is found in `tests/performance`; `requirements` are what it imports."""

    file: Inside | None = None
    users: int = Field(default=100, ge=1)
    spawn_rate: float = Field(default=10, gt=0)
    run_time: str = Field(default="5m", pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", min_length=1)
    requirements: tuple[Inside, ...] = ()
    args: tuple[str, ...] = ()


class TestConfig(Model):
    """What test runs. `coverage` names packages or folders; `env` is set for the tests and wins over services' URLs.

    `retries` is how often failed tests run again; one that then passes is flaky, not passed. `timeout` (seconds) bounds
    each run of tests, `timeouts` that of one category.
    """

    __test__: ClassVar[bool] = False  # not a pytest class

    categories: tuple[Category, ...] = Field(default=("unit", "integration"), min_length=1)
    unit: tuple[Inside, ...] | None = None
    integration: tuple[Inside, ...] | None = None
    e2e: tuple[Inside, ...] | None = None
    coverage: tuple[str, ...] | None = None
    requirements: tuple[Inside, ...] | None = None
    system_packages: tuple[str, ...] = ()
    e2e_packages: tuple[str, ...] = ("chromium", "chromium-driver")
    unit_args: tuple[str, ...] = ("--maxfail=1", "-x")
    integration_args: tuple[str, ...] = ("--maxfail=3",)
    e2e_args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    retries: int = Field(default=0, ge=0, le=10)
    timeout: int = Field(default=1800, ge=1)
    timeouts: dict[Category, Annotated[int, Field(ge=1)]] = {}
    matrix: MatrixConfig | None = None
    application: ApplicationConfig = ApplicationConfig()
    performance: PerformanceConfig = PerformanceConfig()

    def limit(self, category: Category) -> int:
        """How long one run of a category may take, in seconds."""
        return next((seconds for name, seconds in self.timeouts.items() if name == category), self.timeout)


class LicencesConfig(Model):
    """Which licences packages may have: SPDX identifiers or patterns (`GPL-*`). With `allow`, no other; never `deny`.

    `packages` says the licence of packages that don't say it themselves: name → SPDX expression.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    packages: dict[str, str] = {}


class ScanConfig(Model):
    """What scan runs. `rules` adds the project's own Semgrep rule files or folders; `exclude` are path patterns.

    `advisories` is a folder of OSV files that dependencies are audited against. `reports` are reports of scanners that
    run elsewhere: scanner → file; they are read instead of running it. Each of `scanners`, and of `image-scanners`
    (stage image-scan), that can't scan fails the stage, unless `gates.accept` names it. `timeout` (seconds) bounds each
    scanner. What one that asks a database or a registry said is kept for `fresh` seconds. `packs` are Semgrep's.
    """

    rules: tuple[Inside, ...] = ()
    exclude: tuple[str, ...] = ()
    scanners: tuple[OwnScanner | OtherScanner, ...] = ("semgrep", "secrets", "dependencies")
    advisories: Inside | None = None
    reports: dict[OtherScanner, Inside] = {}
    image_scanners: tuple[ImageScanner, ...] = ()
    packs: tuple[str, ...] = ("p/security-audit", "p/secrets", "p/ci", "p/docker")
    licences: LicencesConfig = LicencesConfig()
    timeout: int = Field(default=900, ge=1)
    fresh: int = Field(default=86_400, ge=1)


class PostgresConfig(Model):
    """A Postgres beside the tests and the image; `url_variable` is the environment variable that says where it is."""

    image: str = "postgres:15"
    alias: str = "postgres"
    user: str = "postgres"
    password: str = "test_password"  # noqa: S105 - a throw-away server's, the guide's own
    database: str = "test"
    url_variable: str = "DATABASE_URL"
    scheme: str = "postgresql"


class RedisConfig(Model):
    image: str = "redis:7"
    alias: str = "redis"
    database: int = Field(default=1, ge=0, le=15)
    url_variable: str = "REDIS_URL"


class OtherServiceConfig(Model):
    """Any other service: ready when `health` ends with 0, or when its ports are open.

    `url` is what `url_variable` says, where `{alias}` stands for its name.
    """

    image: str = Field(min_length=1)
    ports: tuple[Port, ...] = Field(min_length=1)
    env: dict[str, str] = {}
    args: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    url_variable: Variable | None = None
    url: str = ""

    @model_validator(mode="after")
    def _tells_its_url(self) -> Self:
        if (self.url_variable is None) != (not self.url):
            raise ValueError("`url` and `url-variable` go together")
        return self


class ServicesConfig(Model):
    """What runs beside the tests and the image. `other` is by alias."""

    postgres: PostgresConfig | None = None
    redis: RedisConfig | None = None
    other: dict[Alias, OtherServiceConfig] = {}


class FrontendConfig(Model):
    """The Node part of a project; `path` is found when left out (`package.json` in the root or in `frontend/`)."""

    path: Inside | None = None
    enabled: bool = True
    lint: str = "lint"
    test: str = "test"
