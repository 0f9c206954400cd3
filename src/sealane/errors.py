"""The SDK's error tree: one class per thing a caller can do about it.

SealaneError                message, reason (a slug that tests assert), hint (what to do next), exit_code
├── UsageError              the command line can't work: change the words
├── ConfigError             the configuration can't work: change the named key
├── EngineUnavailable       no engine could be started or reached
│   ├── HostLacks           this machine lacks what the embedded engine needs: add it, or use a Dagger engine
│   └── SessionLost         the engine ended, or stopped answering, in the middle of a request
├── QueryFailed             the engine's answer was an error
│   └── ExecFailed          a command ended with an exit code that wasn't expected, which becomes ours
├── ChangesRefused          changes can't be applied here as they are: settle what is named, or say where
├── ModuleNotFound          there is no dagger.json where one was looked for
├── ReportUnreadable        a tool's report is missing or isn't what the tool promises
├── RegistryFailed          a registry refused, or couldn't be reached
├── NotVerified             an image lacks what the policy asks for, or what it has is forged
├── PipelineFailed          the pipeline ran to its end and a stage or gate failed: read the report
│   ├── StageFailed         one stage failed
│   └── NotScanned          a scanner could not run, which is never the same as clean
└── Interrupted             the user stopped it (Ctrl-C)
"""

from __future__ import annotations


class SealaneError(Exception):
    """Base of all errors that a user of the SDK or the command line sees, as one message without a traceback."""

    reason = "sealane-error"
    exit_code = 1

    def __init__(self, message: str, *, reason: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(SealaneError):
    """The words on the command line can't work. `command` is whose --help explains them."""

    reason = "usage"

    def __init__(self, message: str, *, command: str = "", reason: str | None = None, hint: str = "") -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.command = command


class ConfigError(SealaneError):
    reason = "config"


class EngineUnavailable(SealaneError):
    reason = "engine-unavailable"


class HostLacks(EngineUnavailable):
    reason = "host-lacks"


class SessionLost(EngineUnavailable):
    reason = "session-lost"


class QueryFailed(SealaneError):
    """The engine's answer was a GraphQL error."""

    reason = "query-failed"


class ExecFailed(QueryFailed):
    """A command ended with an exit code that wasn't expected; `exit_code` is the command's."""

    reason = "exec-failed"

    def __init__(self, message: str, *, exit_code: int, stdout: str = "", stderr: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr


class ChangesRefused(SealaneError):
    reason = "changes-refused"


class ModuleNotFound(SealaneError):
    reason = "module-not-found"


class ReportUnreadable(SealaneError):
    reason = "report-unreadable"


class RegistryFailed(SealaneError):
    reason = "registry-failed"


class NotVerified(SealaneError):
    reason = "not-verified"


class PipelineFailed(SealaneError):
    reason = "pipeline-failed"


class StageFailed(PipelineFailed):
    reason = "stage-failed"


class NotScanned(PipelineFailed):
    reason = "not-scanned"


class Interrupted(SealaneError):
    reason = "interrupted"
    exit_code = 2
