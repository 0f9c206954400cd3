"""A user's journey through the running service: a real browser, a real server, real stores."""

import json
import time
from typing import Any, Optional
from urllib.request import Request, urlopen

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import (
    text_to_be_present_in_element,
)
from selenium.webdriver.support.wait import WebDriverWait

MESSAGE = (By.ID, "message")
TASKS = (By.ID, "tasks")


def ask(url: str, body: Optional[dict[str, str]] = None) -> Any:
    """What the service answers; with a body it is posted."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def sees(browser: Chrome, place: tuple[str, str], text: str) -> None:
    """Wait until the text is there."""
    WebDriverWait(browser, 20).until(text_to_be_present_in_element(place, text))


def test_a_visitor_submits_a_task_and_sees_it_wait(
    browser: Chrome, base_url: str
) -> None:
    title = f"sweep {time.time_ns()}"
    browser.get(base_url)
    assert browser.find_element(By.TAG_NAME, "h1").text == "Task board"
    sees(browser, MESSAGE, "waiting")
    browser.find_element(By.NAME, "title").send_keys(title)
    browser.find_element(By.TAG_NAME, "button").click()
    sees(browser, TASKS, f"{title} (waiting)")


def test_what_an_agent_has_done_is_on_the_board(browser: Chrome, base_url: str) -> None:
    title = f"mop {time.time_ns()}"
    agent = ask(f"{base_url}/agents", {"name": f"agent-{time.time_ns()}"})
    ask(f"{base_url}/tasks", {"title": title})
    task = ask(f"{base_url}/agents/{agent['id']}/take", {})
    while task["title"] != title:  # tasks of others come first
        task = ask(f"{base_url}/agents/{agent['id']}/take", {})
    ask(f"{base_url}/tasks/{task['id']}/done", {"result": "clean"})
    browser.get(base_url)
    sees(browser, TASKS, f"#{task['id']} {title} (done: clean)")


def test_markup_in_a_title_stays_text(browser: Chrome, base_url: str) -> None:
    title = f"<b>{time.time_ns()}</b>"
    ask(f"{base_url}/tasks", {"title": title})
    browser.get(base_url)
    sees(browser, TASKS, title)
    assert browser.find_elements(By.CSS_SELECTOR, "#tasks b") == []
