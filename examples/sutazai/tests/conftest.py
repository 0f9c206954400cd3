"""What every test category shares: the environment from .env.test, and asyncio as the loop."""

from pathlib import Path

import pytest
from dotenv import load_dotenv

# Values that the caller has set in the environment win over the file.
load_dotenv(Path(__file__).parent.parent / ".env.test")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
