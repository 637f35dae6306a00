import httpx
import pytest
from fastapi import FastAPI

from shared.http import operations_router
from shared.http.operations import Readiness


def client(readiness: Readiness) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(operations_router("test", readiness))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def all_well() -> dict[str, str]:
    return {"redis": "ok", "postgres": "ok"}


async def one_away() -> dict[str, str]:
    return {"redis": "Redis does not answer: is it running?", "postgres": "ok"}


async def broken() -> dict[str, str]:
    raise RuntimeError("secret")


async def test_a_service_that_has_all_it_needs_is_ready() -> None:
    response = await client(all_well).get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"redis": "ok", "postgres": "ok"}}


async def test_a_remark_keeps_no_service_from_being_ready() -> None:
    async def with_a_remark() -> dict[str, str]:
        return {"models": "ok: there are none"}

    response = await client(with_a_remark).get("/readyz")

    assert (response.status_code, response.json()["checks"]) == (200, {"models": "ok: there are none"})


async def test_a_service_that_lacks_something_is_not_ready_and_says_what() -> None:
    response = await client(one_away).get("/readyz")

    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"
    assert response.json()["checks"]["redis"] == "Redis does not answer: is it running?"


async def test_a_check_that_fails_itself_is_not_ready() -> None:
    response = await client(broken).get("/readyz")

    assert response.status_code == 503
    assert "secret" not in response.text


@pytest.mark.parametrize("readiness", [all_well, one_away, broken])
async def test_a_service_lives_whatever_it_lacks(readiness: Readiness) -> None:
    assert (await client(readiness).get("/livez")).status_code == 200


async def test_metrics_are_prometheus_text() -> None:
    response = await client(all_well).get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
