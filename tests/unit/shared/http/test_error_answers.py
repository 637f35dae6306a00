import json

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import StreamingResponse
from structlog.testing import capture_logs

from shared.errors import (
    DroverError,
    InferenceError,
    QueueFullError,
    RateLimitError,
    SessionBusyError,
    UnavailableError,
)
from shared.http import error_response, install_errors


class Body(BaseModel):
    number: int


def application() -> FastAPI:
    app = FastAPI()
    install_errors(app)

    @app.post("/echo")
    async def echo(body: Body) -> Body:
        return body

    @app.get("/full")
    async def full() -> None:
        raise QueueFullError(retry_after_s=2.2)

    @app.get("/busy")
    async def busy() -> None:
        raise SessionBusyError(param="session_id")

    @app.get("/inference")
    async def inference() -> None:
        raise InferenceError()

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("a secret prompt")

    @app.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def pieces():  # type: ignore[no-untyped-def]
            yield b"one"
            raise RuntimeError("a secret prompt")

        return StreamingResponse(pieces())

    return app


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application(), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_an_error_of_ours_keeps_its_status_body_and_param(client: httpx.AsyncClient) -> None:
    response = await client.get("/busy")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "turn_in_progress"
    assert response.json()["error"]["param"] == "session_id"


async def test_retry_after_is_in_whole_seconds_rounded_up(client: httpx.AsyncClient) -> None:
    response = await client.get("/full")

    assert (response.status_code, response.headers["retry-after"]) == (503, "3")


@pytest.mark.parametrize(("retry_after_s", "header"), [(0.0, "1"), (0.01, "1"), (1.0, "1"), (59.5, "60")])
def test_retry_after_is_at_least_one_second(retry_after_s: float, header: str) -> None:
    assert error_response(RateLimitError(retry_after_s=retry_after_s)).headers["retry-after"] == header


def test_an_error_that_waiting_does_not_mend_has_no_retry_after() -> None:
    assert "retry-after" not in error_response(SessionBusyError()).headers
    assert "retry-after" not in error_response(RateLimitError("It asks for more than the limit allows.")).headers


def test_a_service_that_is_away_may_be_back_in_a_second() -> None:
    assert error_response(UnavailableError()).headers["retry-after"] == "1"


def test_an_errors_own_headers_are_sent() -> None:
    error = RateLimitError(retry_after_s=1)
    error.headers["x-ratelimit-limit-requests"] = "60"

    assert error_response(error).headers["x-ratelimit-limit-requests"] == "60"


@pytest.mark.parametrize(
    ("content", "param"),
    [(b"{bad", None), (b"{}", "number"), (b'{"number": "x"}', "number"), (b"[]", None), (b"", None)],
)
async def test_a_body_that_is_not_valid_is_a_400(client: httpx.AsyncClient, content: bytes, param: str | None) -> None:
    response = await client.post("/echo", content=content, headers={"Content-Type": "application/json"})

    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)


async def test_an_unknown_address_is_a_404_in_openais_shape(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/nothing")

    assert response.status_code == 404
    assert response.json()["error"]["message"] == "There is nothing at GET /v1/nothing."


async def test_a_wrong_method_is_a_405_that_names_the_right_one(client: httpx.AsyncClient) -> None:
    response = await client.get("/echo")

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["error"]["message"] == "GET /echo is not allowed; use POST."


async def test_an_unexpected_exception_is_a_500_without_its_text_and_is_logged(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        response = await client.get("/boom")

    assert (response.status_code, response.json()["error"]["code"]) == (500, "server_error")
    assert "secret" not in response.text
    assert [(line["event"], line["path"]) for line in logs] == [("unexpected_error", "/boom")]


async def test_an_error_of_ours_with_status_500_is_logged(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        response = await client.get("/inference")

    assert response.status_code == 500
    assert [(line["event"], line["code"]) for line in logs] == [("request_failed", "inference_error")]


async def test_an_answer_that_has_begun_is_broken_off_and_not_continued_with_an_error(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/breaks-off")

    assert response.content == b"one"


def test_every_error_has_openais_four_fields() -> None:
    body = json.loads(error_response(DroverError("Oh.")).body)

    assert body == {"error": {"message": "Oh.", "type": "server_error", "param": None, "code": "server_error"}}
