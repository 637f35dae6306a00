"""One FastAPI application as all three services want it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI

from shared.http.body_limit import BodyLimitMiddleware
from shared.http.error_answers import install_errors
from shared.http.operations import Readiness, operations_router

UNTRACED = frozenset({"/livez", "/readyz", "/health", "/metrics"})
"""Asked every few seconds by machines."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def service_app(
    service_name: str, *, readiness: Readiness, lifespan: Lifespan | None = None, max_body_bytes: int = 8 * 2**20
) -> FastAPI:
    """An application with error answers, the body limit and the operations routes; the caller includes its routers."""
    app = FastAPI(
        title=f"Drover {service_name}",
        lifespan=lifespan,
        redoc_url=None,
        # One span a request, and no measuring a second time, for which every chunk of a stream would be wrapped.
        telemetry={
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope.get("path") in UNTRACED,
        },
    )
    install_errors(app)
    app.add_middleware(BodyLimitMiddleware, max_body_bytes=max_body_bytes)
    app.include_router(operations_router(service_name, readiness))
    return app
