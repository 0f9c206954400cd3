"""The configuration of a project: `[tool.sealane]` in `pyproject.toml`, or `sealane.toml`. Pydantic models only.

Every key may be left out: what is not said is found in the project itself (see `stages.project`).
Keys are written with dashes (`max-fail`); underscores work too. An unknown key is an error.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from sealane.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

LintTool = Literal[
    "black", "isort", "flake8", "pylint", "mypy", "bandit", "ruff", "ruff-format", "eslint", "prettier", "hadolint",
    "actionlint", "zizmor", "shellcheck", "lizard", "complexipy", "jscpd",
]  # fmt: skip

StageName = Literal["lint", "test", "scan", "build", "image-scan", "sbom"]
OwnScanner = Literal["semgrep", "secrets", "dependencies", "licences"]
OtherScanner = Literal[
    "codeql", "gitleaks", "npm-audit", "pip-audit", "safety", "semgrep-packs", "snyk", "trivy", "trufflehog"
]


def _dashes(name: str) -> str:
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
Category = Literal["unit", "integration", "e2e", "performance"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_dashes, populate_by_name=True)


class LintConfig(Model):
    """What lint runs, of it what has files to look at. `args` replaces a tool's arguments; `paths` is the own code."""

    tools: tuple[LintTool, ...] = (
        "black", "isort", "flake8", "pylint", "mypy", "bandit", "eslint", "prettier", "hadolint", "actionlint", "zizmor",
        "shellcheck", "lizard", "complexipy", "jscpd",
    )  # fmt: skip
    args: dict[LintTool, tuple[str, ...]] = {}
    paths: tuple[Inside, ...] = ()
    requirements: tuple[Inside, ...] | None = None


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


ImageScanner = Literal["trivy", "snyk"]


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


class BuildConfig(Model):
    """How the image is built and tried. `health` is the path that must answer 200; `port` where it listens.

    `start` says whether the image is started at all; left out, it is when the Dockerfile has a HEALTHCHECK or an
    EXPOSE, or when `health` is given. `timeout` (seconds) bounds the wait for health. `platforms` are what it is built
    for, all in one call and all tried; left out, it is the engine's own. Later stages look at the first one's.
    `reproducible = false` leaves the dates of files in its layers as they are.
    """

    dockerfile: Inside = "Dockerfile"
    platforms: tuple[Platform, ...] = ()
    reproducible: bool = True
    target: str = ""
    args: dict[str, str] = {}
    start: bool | None = None
    health: str | None = None
    port: Port | None = None
    env: dict[str, str] = {}
    timeout: int = Field(default=120, ge=5, le=900)
    tarball: bool = True


class PublishConfig(Model):
    """Where images go and who signs them. `registry` and `name` (else REGISTRY and IMAGE_NAME) make the repository.

    `builder` is the id that provenance gives the builder. `kms` names a key that a KMS keeps, as cosign does
    (`awskms://…`); `cosign` is the image whose `cosign` then signs.
    """

    registry: str = ""
    name: str = ""
    builder: str = ""
    kms: str = ""
    cosign: str = ""


class VerifyConfig(Model):
    """What `sealane verify` asks of an image. `key` is the public key's file; the rest is asked for when it is set.

    `builder` is the builder's id, `source` a pattern for the repository (`owner/*`), `bases` patterns for base images.
    """

    key: Inside | None = None
    require: tuple[Literal["signature", "provenance", "sbom"], ...] = ("signature", "provenance", "sbom")
    builder: str = ""
    source: str = ""
    bases: tuple[str, ...] = ()


class Waiver(Model):
    """A finding that is accepted until the end of a day: by its fingerprint, or by rule and path (a pattern)."""

    fingerprint: str = ""
    rule: str = ""
    path: str = ""
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: dt.date
    _place: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.fingerprint and not (self.rule and self.path):
            raise ValueError("a waiver names a `fingerprint`, or a `rule` and a `path`")
        return self

    @property
    def place(self) -> str:
        """Where it is written, as `pyproject.toml:12`; empty when that is not known."""
        return self._place

    def at(self, place: str) -> Self:
        self._place = place
        return self


class Threshold(Model):
    """What a figure must reach, or may not pass. Between `target` and the bound the gate warns."""

    minimum: float | None = None
    maximum: float | None = None
    target: float | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("a threshold has either a `minimum` or a `maximum`")
        return self


class ComplexityConfig(Model):
    """The most that any one function may have."""

    cyclomatic: int | None = Field(default=10, ge=1)
    cognitive: int | None = Field(default=15, ge=0)


class GatesConfig(Model):
    """What must hold. `accept` lets a stage that could not run pass: stage name → the reason why that is all right.

    `coverage` is the least that passes, `coverage-target` the least that passes without a warning. `medium` counts
    what scanners found. `response` (milliseconds on average) and `throughput` (requests a second) bound what the
    performance tests measured; `duplication` is in percent of the lines. `figures` bounds any figure of a stage, by its
    name. `baseline` is a file of the project with the findings that are known, or `merge-base`: those of the tree that
    the run is compared with. Only others count.
    """

    coverage: float | None = Field(default=80, ge=0, le=100)
    coverage_target: float = Field(default=90, ge=0, le=100)
    high: int | None = Field(default=0, ge=0)
    medium: int | None = Field(default=5, ge=0)
    response: float | None = Field(default=500, gt=0)
    throughput: float | None = Field(default=1000, gt=0)
    complexity: ComplexityConfig = ComplexityConfig()
    duplication: float | None = Field(default=3, ge=0, le=100)
    figures: dict[str, Threshold] = {}
    baseline: Inside | None = None
    waivers: tuple[Waiver, ...] = ()
    accept: dict[str, str] = {}


class FrontendConfig(Model):
    """The Node part of a project; `path` is found when left out (`package.json` in the root or in `frontend/`)."""

    path: Inside | None = None
    enabled: bool = True
    lint: str = "lint"
    test: str = "test"


Branch = Annotated[str, Field(pattern=r"^[\w./-]+$")]


class CiConfig(Model):
    """The wrappers of CI vendors: which pushes (`branches`) and pull requests (to `base`) run; `timeout` in minutes.

    `command` is a script of the project that gets the words `ci run`; left out, sealane is installed from the index.
    """

    name: str = "Sealane"
    branches: tuple[Branch, ...] = ("main", "develop")
    base: tuple[Branch, ...] = ("main",)
    source: Inside = "."
    command: Annotated[str, Field(pattern=r"^[\w./-]*$")] = ""
    timeout: int = Field(default=60, ge=1)


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


def parse(pyproject: str | None, sealane_toml: str | None = None) -> Config:
    """The configuration in the text of the two files; `sealane.toml` wins when both have one."""
    if sealane_toml is not None:
        return _placed(load(_toml(sealane_toml, "sealane.toml"), where="sealane.toml"), sealane_toml, "sealane.toml")
    if pyproject is None:
        return Config()
    table = _toml(pyproject, "pyproject.toml").get("tool", {})
    config = load(table.get("sealane", {}), where="pyproject.toml [tool.sealane]")
    return _placed(config, pyproject, "pyproject.toml")


_WAIVER = re.compile(r"^\s*\[\[\s*(?:tool\.sealane\.)?gates\.waivers\s*\]\]", re.MULTILINE)


def _placed(config: Config, text: str, name: str) -> Config:
    """Notes the line of each waiver, so that it can be said which one to delete."""
    lines = [text.count("\n", 0, match.end()) + 1 for match in _WAIVER.finditer(text)]
    for index, waiver in enumerate(config.gates.waivers):
        waiver.at(f"{name}:{lines[index]}" if len(lines) == len(config.gates.waivers) else name)
    return config


def load(table: dict[str, Any], *, where: str) -> Config:
    """The configuration a table holds.

    Raises ConfigError (`unknown-key`, `bad-value`), which names the key.
    """
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        first = next((e for e in error.errors() if e["type"] == "extra_forbidden"), error.errors()[0])
        raise _explain(first, where) from None


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not valid TOML: {error}", reason="bad-toml", hint=f"Mend {name}.") from None


def _explain(error: Any, where: str) -> ConfigError:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1].replace("_", "-"), known, n=1, cutoff=0.4)
        hint = f"Did you mean `{'.'.join([*location[:-1], near[0]])}`?" if near else f"Known keys: {', '.join(known)}."
        return ConfigError(f"unknown key `{key}` in {where}", reason="unknown-key", hint=hint)
    message = str(error["msg"]).removeprefix("Value error, ")
    return ConfigError(f"bad value of `{key}` in {where}: {message}", reason="bad-value", hint=f"Change `{key}`.")


def _known_keys(path: list[str]) -> list[str]:
    """The keys allowed at `path`, a list of keys from the top."""
    model: type[BaseModel] = Config
    named = False
    for part in path:
        if part.isdigit() or named:  # an element of a list, or of a table whose keys are names
            named = False
            continue
        field = model.model_fields.get(part.replace("-", "_"))
        if field is None:
            return []
        kinds = [field.annotation, *get_args(field.annotation)]
        nested = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if nested is None:
            return [str(choice) for choice in get_args(LintTool)] if part == "args" else []
        model, named = nested, get_origin(field.annotation) is dict
    return sorted(_dashes(name) for name in model.model_fields)
