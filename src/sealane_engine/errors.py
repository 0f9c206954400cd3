"""The engine's error tree: one class per thing a caller can do about it.

EngineError                 message, reason (a slug that tests assert), hint (what to do next)
├── InvalidInput            the caller gave something that can't work: change the call
│   ├── NotFound            a path, image, secret, module or field isn't there
│   └── Unsupported         Dagger has it, this engine doesn't (yet): the message names the field
├── ExecError               a command exited with a code that wasn't expected
├── ServiceError            a service exited early or never became healthy
├── ImageError              a registry answered, and the answer was no (or a lie)
├── DiskFull                the store has no room: prune, then call again
├── StoreError              the store can't be read or written
└── HostError               the machine lacks something that a sandbox needs
"""

from __future__ import annotations

from typing import Any


class EngineError(Exception):
    """Base of all errors that reach a client. `reason` is a stable slug; `hint` is the next step, or empty."""

    reason = "engine-error"

    def __init__(self, message: str, *, reason: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message

    def extensions(self) -> dict[str, Any]:
        """What a GraphQL error carries beside its message."""
        return {"reason": self.reason}


class InvalidInput(EngineError):
    reason = "invalid-input"


class NotFound(InvalidInput):
    reason = "not-found"


class Unsupported(InvalidInput):
    reason = "unsupported"


class ExecError(EngineError):
    """A command's exit code was not the expected one.

    `stdout` and `stderr` are trimmed and cut as Dagger does (see `graph.exec_error_output`).
    """

    reason = "exec-failed"

    def __init__(
        self, cmd: tuple[str, ...], exit_code: int, stdout: str, stderr: str, message: str | None = None
    ) -> None:
        super().__init__(message or f"exit code: {exit_code}")
        self.cmd = cmd
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr

    def extensions(self) -> dict[str, Any]:
        return {
            "_type": "EXEC_ERROR",
            "cmd": list(self.cmd),
            "exitCode": self.exit_code,
            "stdout": self.stdout,
            "stderr": self.stderr,
        }


class ServiceError(EngineError):
    reason = "service-failed"


class ImageError(EngineError):
    reason = "image-refused"


class StoreError(EngineError):
    reason = "store-failed"


class DiskFull(StoreError):
    reason = "disk-full"


class HostError(EngineError):
    reason = "host-lacks"
