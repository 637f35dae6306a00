"""Puts the gateway together: settings in, application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware

from gateway.caller import CallerGoneError
from gateway.request_record import RequestCount, RequestRecordMiddleware
from gateway.routes import ROUTERS
from gateway.service import Gateway
from gateway.settings import GatewaySettings
from gateway.version import VERSION
from shared.catalogue import Catalogue
from shared.http import service_app

EXPOSED_HEADERS = ["x-request-id", "x-job-id", "x-session-id", "retry-after"]
CLIENT_CLOSED_REQUEST = 499


def build_app(settings: GatewaySettings) -> FastAPI:
    """The whole HTTP surface. Raises ConfigurationError if the model catalogue cannot be read."""
    count = RequestCount()
    gateway = Gateway(settings, Catalogue.load(settings.models_dir), count)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    app = service_app(
        "gateway", readiness=gateway.health.readiness, lifespan=lifespan, max_body_bytes=settings.max_body_bytes
    )
    app.title, app.version = "Drover", VERSION
    app.state.gateway = gateway
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(CallerGoneError, _answer_nobody)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in settings.cors_origins.split(",")],
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(RequestRecordMiddleware, count=count)
    return app


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)  # for the metrics: the client has left
