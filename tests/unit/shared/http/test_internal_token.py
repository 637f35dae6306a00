import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr

from shared.http import install_errors, require_internal_token


async def status(token: str, headers: dict[str, str]) -> int:
    app = FastAPI(dependencies=[Depends(require_internal_token(SecretStr(token)))])
    install_errors(app)
    app.get("/internal")(lambda: "in")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return (await client.get("/internal", headers=headers)).status_code


async def test_the_right_token_opens() -> None:
    assert await status("secret", {"Authorization": "Bearer secret"}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "secret"},
        {"Authorization": "Bearer secret "[:-1] + "s"},
    ],
)
async def test_any_other_does_not(headers: dict[str, str]) -> None:
    assert await status("secret", headers) == 403


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}])
async def test_without_a_configured_token_nobody_gets_in(headers: dict[str, str]) -> None:
    assert await status("", headers) == 403
