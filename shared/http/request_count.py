"""Counts and times the answers of a service by route."""

from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import instruments

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class RequestCountMiddleware:
    """Adds to drover_requests_total when an answer begins, so that open streams are counted too.

    The route is its template (`/v1/jobs/{id}`), or "unmatched": a path with ids in it would be a time series per id.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began = perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = _labels(scope)
                instruments.REQUESTS.add(1, {**labels, "status": str(message["status"])})
                instruments.REQUEST_DURATION.record(perf_counter() - began, labels)
            await send(message)

        await self._app(scope, receive, count)


def _labels(scope: Scope) -> dict[str, str]:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return {"route": getattr(scope.get("route"), "path", "unmatched"), "method": method}
