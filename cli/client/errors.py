"""What can go wrong between a command and the server; every message is one sentence that says what to do."""

from typing import Any


class ApiError(Exception):
    """The server refused; the message is its own sentence. `details` are for --verbose: status, code, request id."""

    def __init__(self, message: str, *, status: int = 0, param: str | None = None, **details: Any):
        super().__init__(message)
        self.status = status
        self.param = param
        self.details = {"status": status, "param": param, **details} if status else details


class UnreachableError(ApiError):
    """No gateway answers."""


class ConnectionLostError(Exception):
    """The connection broke. `was_sent`: the server may have heard of the request."""

    def __init__(self, *, was_sent: bool):
        super().__init__("The connection broke.")
        self.was_sent = was_sent
