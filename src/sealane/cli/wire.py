"""A session's HTTP side: one GraphQL request, its answer or its error. Standard library only, because `call` must start fast."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from typing import Any

from sealane.errors import ExecFailed, QueryFailed, SessionLost


class Session:
    """A Dagger session at 127.0.0.1. One connection per thread, kept alive."""

    def __init__(self, port: int, token: str, *, trace: str | None = None) -> None:
        self.port = port
        self.token = token
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode(),
        }
        if trace:
            self._headers["traceparent"] = trace

    def query(self, document: str, variables: dict[str, Any] | None = None, operation: str | None = None) -> Any:
        """The `data` of the answer. Raises QueryFailed or ExecFailed for its first error, SessionLost without an answer."""
        request: dict[str, Any] = {"query": document}
        if variables is not None:
            request["variables"] = variables
        if operation is not None:
            request["operationName"] = operation
        status, body = self._post(json.dumps(request).encode())
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not ("data" in answer or answer.get("errors")):
            raise SessionLost(
                f"the session at port {self.port} answered {status} with no GraphQL result",
                hint="Is DAGGER_SESSION_PORT the port of a Dagger session?",
            )
        if answer.get("errors"):
            raise failure(answer["errors"][0])
        return answer["data"]

    def close(self) -> None:
        """Close the connections of every thread."""
        for connection in self._connections:
            connection.close()

    def _post(self, body: bytes) -> tuple[int, bytes]:
        reused = getattr(self._local, "connection", None) is not None
        try:
            return self._exchange(body)
        except (http.client.HTTPException, OSError) as error:
            self._local.connection = None
            if reused and isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)):
                # an idle connection may be closed between two requests; the engine joins identical requests
                return self._post(body)
            raise SessionLost(
                f"the session at port {self.port} does not answer: {str(error) or type(error).__name__}",
                hint="If the engine ended, its last lines say why.",
            ) from error

    def _exchange(self, body: bytes) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            self._connections.append(connection)
            self._local.connection = connection
        connection.request("POST", "/query", body, self._headers)
        response = connection.getresponse()
        return response.status, response.read()


def failure(error: dict[str, Any]) -> QueryFailed:
    """The error of a GraphQL answer as one of ours."""
    extensions = error.get("extensions") or {}
    message = str(error.get("message") or "unknown error")
    if extensions.get("_type") == "EXEC_ERROR":
        return ExecFailed(
            message,
            exit_code=int(extensions.get("exitCode", 1)),
            stdout=str(extensions.get("stdout") or ""),
            stderr=str(extensions.get("stderr") or ""),
        )
    return QueryFailed(message, reason=extensions.get("reason"))


def literal(value: Any) -> str:
    """A Python value as a GraphQL literal. Object ids and enum members are strings, as Dagger's CLI sends them."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(literal(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
