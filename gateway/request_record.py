"""Gives every request its id, its log context and its place in the metrics."""

import re
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import log_context
from shared.telemetry.instruments import REQUEST_DURATION, REQUESTS

GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


class RequestCount:
    """How many requests this process has answered."""

    def __init__(self) -> None:
        self.total = 0


class RequestRecordMiddleware:
    """The outermost layer: `x-request-id` is the caller's, if it is a plain word, or a new one."""

    def __init__(self, app: ASGIApp, count: RequestCount):
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if GOOD_ID.fullmatch(asked) else f"req_{uuid4().hex}"
        status, began = 500, perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                REQUEST_DURATION.record(perf_counter() - began, {"route": _route(scope), "method": _method(scope)})
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            with log_context(request_id=request_id):
                await self._app(scope, receive, send_with_id)
        finally:
            self._count.total += 1
            REQUESTS.add(1, {"route": _route(scope), "method": _method(scope), "status": str(status)})


def _route(scope: Scope) -> str:
    """The route's template: a path with ids in it would make a time series per id."""
    return getattr(scope.get("route"), "path", None) or "unmatched"


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "other"
