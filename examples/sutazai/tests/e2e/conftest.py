"""A browser, and the running service: where BASE_URL says, else one that is started here."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    """The address of a service that is well."""
    given = os.environ.get("BASE_URL")
    if given:
        yield given.rstrip("/")
        return
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        pytest.fail("DATABASE_URL and REDIS_URL are not set: write .env.test")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            wait(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait(port: int, seconds: float = 30) -> None:
    """Until the service says that it is well."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    pytest.fail(f"the service was not healthy after {seconds:.0f} s")


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Chrome]:
    """Chrome or Chromium, whichever is on the path, with its driver."""
    programs = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, programs)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.fail("no browser: install chromium and chromium-driver")
    options = ChromeOptions()
    options.binary_location = program
    for flag in ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    if request.config.getoption("headless"):
        options.add_argument("--headless=new")
    chrome = Chrome(options=options, service=Service(driver))
    chrome.implicitly_wait(10)
    yield chrome
    chrome.quit()
