import re

import httpx
from fastapi import APIRouter, FastAPI

from shared.http import RequestCountMiddleware
from shared.telemetry import configure_metrics, render_metrics


def client() -> httpx.AsyncClient:
    app = FastAPI(telemetry={"metrics": False})
    router = APIRouter(prefix="/v1")
    router.get("/things/{name}")(lambda name: name)
    app.include_router(router)
    app.add_middleware(RequestCountMiddleware)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_requests_are_counted_by_the_routes_template_and_never_by_the_path() -> None:
    configure_metrics("test")
    async with client() as caller:
        await caller.get("/v1/things/somebodys-secret")
        await caller.get("/nobody/knows")
        await caller.request("BREW", "/nobody/knows")

    text = render_metrics()[0].decode()
    assert 'method="GET",route="/v1/things/{name}",status="200"' in text
    assert 'method="GET",route="unmatched",status="404"' in text
    assert 'method="other",route="unmatched",status="404"' in text
    assert "somebodys-secret" not in text


async def test_answers_are_timed_by_route() -> None:
    configure_metrics("test")
    async with client() as caller:
        await caller.get("/v1/things/somebodys-secret")

    text = render_metrics()[0].decode()
    assert re.search(r'^drover_request_duration_seconds_count.*route="/v1/things/{name}"', text, re.MULTILINE)
    assert "somebodys-secret" not in text
