from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request
from starlette.types import Message, Receive, Scope, Send

from shared.http import BodyLimitMiddleware, install_errors

LIMIT = 100


async def length(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


async def parse(body: dict[str, str]) -> dict[str, str]:
    return body


def client() -> httpx.AsyncClient:
    app = FastAPI()
    install_errors(app)
    app.add_middleware(BodyLimitMiddleware, max_body_bytes=LIMIT)
    app.post("/length")(length)
    app.post("/parse")(parse)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 10


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    response = await client().post("/length", content=b"x" * LIMIT)

    assert response.json() == {"bytes": LIMIT}


async def test_an_announced_body_over_the_limit_is_refused() -> None:
    response = await client().post("/length", content=b"x" * (LIMIT + 1))

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert str(LIMIT) in response.json()["error"]["message"]
    assert response.headers["connection"] == "close"


async def test_a_chunked_body_of_exactly_the_limit_is_read() -> None:
    response = await client().post("/length", content=pieces(10))

    assert response.json() == {"bytes": LIMIT}


async def test_a_chunked_body_is_refused_when_it_grows_over_the_limit() -> None:
    response = await client().post("/length", content=pieces(11))

    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_refused_body_is_a_413_also_where_the_framework_would_call_it_unreadable() -> None:
    response = await client().post("/parse", content=pieces(11), headers={"Content-Type": "application/json"})

    assert response.status_code == 413


async def test_the_application_gets_each_piece_at_once() -> None:
    seen: list[int] = []
    given = iter([{"type": "http.request", "body": b"x" * 10, "more_body": index < 2} for index in range(3)])

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            seen.append(length_given[0])

    length_given = [0]

    async def receive() -> Message:
        length_given[0] += 1
        return next(given)

    async def send(_message: Message) -> None:
        raise AssertionError("nothing was to be answered")

    await BodyLimitMiddleware(application, LIMIT)({"type": "http", "headers": []}, receive, send)

    assert seen == [1, 2]
