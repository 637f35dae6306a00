"""The routes that operators and Kubernetes ask: /livez, /readyz and /metrics."""

from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from shared.telemetry import render_metrics

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""What the service needs: each check's name with "ok", "ok: " before a remark, or a sentence on what is wrong."""

_log = structlog.get_logger(__name__)


def operations_router(service_name: str, readiness: Readiness) -> APIRouter:
    """/livez is 200 while the event loop lives, /readyz 200 or 503 with the checks, /metrics Prometheus' text."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok", "service": service_name}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        checks = await _checked(readiness)
        is_ready = all(result == "ok" or result.startswith("ok: ") for result in checks.values())
        return JSONResponse(
            {"status": "ok" if is_ready else "unavailable", "checks": checks}, status_code=200 if is_ready else 503
        )

    @router.get("/metrics")
    def metrics() -> Response:  # not async: rendering takes milliseconds, a thread keeps them off the event loop
        content, content_type = render_metrics()
        return Response(content, headers={"Content-Type": content_type})

    return router


async def _checked(readiness: Readiness) -> dict[str, str]:
    try:
        return await readiness()
    except Exception as error:
        _log.warning("readiness_failed", exc_info=error)
        return {"readiness": "The check itself failed; the log says why."}
