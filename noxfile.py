"""The checks of this project, one session each; all of them run in the environment that ci/setup.sh made."""

from __future__ import annotations

import sys

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "unit"]


def pytest(session: nox.Session, *paths: str) -> None:
    session.run(sys.executable, "-m", "pytest", "-q", *paths, *session.posargs)


def go_tools(session: nox.Session) -> None:
    """What tests take a second opinion from, where Go is."""
    session.run("sh", "ci/go-tools.sh", external=True)


def docker(session: nox.Session) -> None:
    """Debian's Docker beside the tests, where apt is."""
    session.run("sh", "ci/docker.sh", external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and its format."""
    session.run(sys.executable, "-m", "ruff", "check", "--quiet", ".")
    session.run(sys.executable, "-m", "ruff", "format", "--quiet", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.run(sys.executable, "-m", "mypy", "--no-error-summary")


@nox.session
def unit(session: nox.Session) -> None:
    """Seconds, no root."""
    pytest(session, "--numprocesses=auto", "tests/unit")


@nox.session
def engine(session: nox.Session) -> None:
    """Real mounts, sandboxes and networks, and what goes wrong with them: as root."""
    go_tools(session)
    pytest(session, "tests/engine", "tests/faults")


@nox.session
def contract(session: nox.Session) -> None:
    """The unmodified dagger-io client against the engine."""
    pytest(session, "tests/contract")


@nox.session
def beta(session: nox.Session) -> None:
    """The same, with the beta of Dagger's client 1.0; tests/contract/beta.toml lists what that does otherwise."""
    folder = session.create_tmp()
    install = ("install", "--quiet", "--upgrade", "--no-deps", "--require-hashes", "--target", folder)
    session.run(sys.executable, "-m", "pip", *install, "-r", "tests/contract/beta.txt")
    session.env["PYTHONPATH"] = folder
    # Its calls that 1.0 renamed warn; one that nobody awaited is a test's own error already.
    ignored = ("DeprecationWarning", "RuntimeWarning", "pytest.PytestUnraisableExceptionWarning")
    pytest(session, *(f"-Wignore::{each}" for each in ignored), "tests/contract")


@nox.session
def e2e(session: nox.Session) -> None:
    """The commands that users type, the sample's pipeline and its seeded defects."""
    go_tools(session)
    docker(session)
    pytest(session, "tests/e2e")


@nox.session
def bench(session: nox.Session) -> None:
    """The table of design targets."""
    session.run(sys.executable, "benchmarks", *session.posargs)


@nox.session
def modules(session: nox.Session) -> None:
    """Modules that others wrote load: `nox -s modules -- FOLDER...`, where they were checked out."""
    session.run(sys.executable, "tools/public_modules.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Every command in the documentation."""
    pytest(session, "tests/e2e/test_docs.py")
