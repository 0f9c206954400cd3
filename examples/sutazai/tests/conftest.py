"""What every test category shares: the environment from .env.test, asyncio as the loop, and which browser is asked for."""

from pathlib import Path

import pytest
from dotenv import load_dotenv

# Values that the caller has set in the environment win over the file.
load_dotenv(Path(__file__).parent.parent / ".env.test")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The words of the end-to-end tests."""
    parser.addoption("--browser", default="chrome", choices=["chrome"])
    parser.addoption("--headless", action="store_true", help="show no window")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
