"""The application as its neighbours and its operators see it."""

import httpx
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from session_service.app import create_app
from session_service.settings import SessionSettings
from tests.integration.session_service.caller import MODEL, Turns


async def ready(settings: SessionSettings) -> httpx.Response:
    async with LifespanManager(create_app(settings)) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sessions") as client:
            return await client.get("/readyz")


async def test_it_is_ready_when_postgres_and_redis_answer(settings: SessionSettings) -> None:
    answer = await ready(settings)

    assert (answer.status_code, answer.json()["checks"]) == (200, {"postgres": "ok", "redis": "ok", "outbox": "ok"})


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/nowhere")}, "postgres"),
        ({"redis_url": "redis://127.0.0.1:1/0"}, "redis"),
    ],
)
async def test_it_is_not_ready_without_them(settings: SessionSettings, change: dict[str, object], check: str) -> None:
    answer = await ready(settings.model_copy(update=change))

    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["checks"][check]


async def test_without_postgres_a_call_is_a_503(settings: SessionSettings) -> None:
    app = create_app(settings.model_copy(update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/no")}))
    headers = {"Authorization": f"Bearer {settings.internal_token.get_secret_value()}", "X-Drover-Tenant": "ten_1"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sessions", headers=headers
    ) as client:
        answer = await client.get("/internal/sessions")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")


@pytest.mark.parametrize("path", ["/internal/keys/verify", "/internal/turns", "/internal/prompts/count"])
async def test_nobody_calls_without_the_internal_token(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.post(path, json={}, headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 403


async def test_a_prompt_is_counted_with_its_template(http: httpx.AsyncClient) -> None:
    messages = [{"role": "user", "content": "Hi"}]

    answer = await http.post("/internal/prompts/count", json={"model": MODEL, "messages": messages})

    # <|im_start|> user \n H i <|im_end|> \n <|im_start|> assistant \n, the letters one by one but for "er" and "an"
    assert answer.json() == {"prompt_tokens": 3 + len("us") + 1 + len("\nHi\n") + len("assist") + 2 + 1}


async def test_an_error_within_a_turn_leaves_nothing_behind(turns: Turns) -> None:
    await turns.begin(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x" * 400}])

    assert await turns.messages() == []
