import httpx
from fastapi import APIRouter

from shared.http import service_app
from shared.telemetry import configure_metrics, render_metrics


async def ready() -> dict[str, str]:
    return {}


def client() -> httpx.AsyncClient:
    app = service_app("test", readiness=ready, max_body_bytes=10)
    router = APIRouter(prefix="/v1")
    router.get("/things/{name}")(lambda name: name)
    app.include_router(router)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_an_application_has_operations_error_answers_and_a_body_limit() -> None:
    async with client() as caller:
        assert (await caller.get("/readyz")).status_code == 200
        assert (await caller.get("/nothing")).json()["error"]["code"] == "not_found"
        assert (await caller.post("/v1/things/a", content=b"x" * 11)).status_code == 413


async def test_requests_are_counted_by_the_routes_template_and_never_by_the_path() -> None:
    configure_metrics("test")
    async with client() as caller:
        await caller.get("/v1/things/somebodys-secret")
        await caller.get("/nobody/knows")
        await caller.request("BREW", "/nobody/knows")

    text = render_metrics()[0].decode()
    assert 'method="GET",route="/v1/things/{name}",status="200"' in text
    assert 'method="GET",route="",status="404"' in text
    assert 'method="other",route="",status="404"' in text
    assert "somebodys-secret" not in text
