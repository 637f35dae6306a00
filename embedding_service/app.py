"""The application: the model shelf and the routes around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from embedding_service.model_shelf import ModelShelf
from embedding_service.routes import embeddings_router
from embedding_service.settings import EmbeddingSettings
from shared.catalogue import Catalogue
from shared.http import RequestCountMiddleware, service_app


def create_app(settings: EmbeddingSettings, catalogue: Catalogue) -> FastAPI:
    """The ASGI application. Models begin to load when it starts; until then /readyz says so."""
    shelf = ModelShelf(catalogue, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(shelf.load_all())
        yield
        loading.cancel()
        with suppress(asyncio.CancelledError):
            await loading
        await shelf.close()

    async def readiness() -> dict[str, str]:
        return shelf.checks()

    app = service_app(
        "embedding-service", readiness=readiness, lifespan=lifespan, max_body_bytes=settings.max_body_bytes
    )
    app.add_middleware(RequestCountMiddleware)
    app.include_router(embeddings_router(shelf, settings.internal_token))
    return app
