"""A headless Chromium, driven over a pipe by its DevTools protocol: nothing to install but the browser."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One browser with one page. `said` collects what the page logged, `asked` the addresses it wanted."""

    def __init__(self, command: str, profile: Path) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._number = 0
        self._waiting: list[dict[str, Any]] = []
        ours, theirs = os.pipe(), os.pipe()  # commands go to its descriptor 3, answers come from its 4

        def hand_over() -> None:
            # Moved out of the way first: one of them may be 3 or 4 already.
            reading, writing = os.dup(ours[0]), os.dup(theirs[1])
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self._process = subprocess.Popen(
            [command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            close_fds=False, preexec_fn=hand_over,  # noqa: PLW1509 - it duplicates descriptors, no more
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = os.fdopen(ours[1], "wb", buffering=0), os.fdopen(theirs[0], "rb")
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write.close()
        self._process.terminate()
        self._process.wait(30)
        self._read.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._waiting.append(answer)

    def _next(self) -> dict[str, Any]:
        found = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "the browser went away"
            found += byte
        message: dict[str, Any] = json.loads(found)
        if message.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
            self.said.append(str(message["params"]))
        elif message.get("method") == "Network.requestWillBeSent":
            self.asked.append(message["params"]["request"]["url"])
        return message

    def open(self, file: Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Show a file, and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._waiting.clear()
        self.call("Page.navigate", url=file.as_uri())
        while not any(m.get("method") == "Page.loadEventFired" for m in self._waiting):
            self._waiting.append(self._next())

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is; asked by the tools, so that the page needs no script."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)
