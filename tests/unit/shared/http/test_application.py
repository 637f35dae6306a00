import httpx
from fastapi import APIRouter

from shared.http import service_app


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
