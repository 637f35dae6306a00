import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.auth import Authenticator, require_writer
from gateway.sessions_client import SessionsClient
from gateway.upstream import Upstream
from shared.bodies.keys import Identity, Limits
from shared.errors import AuthenticationError, PermissionDeniedError, UnavailableError

KNOWN = {"tenant_id": "t", "key_id": "k", "role": "user", "limits": {}}


class Service:
    """Answers as the session service does, in this process; counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.is_away:
            raise httpx.ConnectError("refused")
        await asyncio.sleep(0)
        if b"good" in request.content:
            return httpx.Response(200, json=KNOWN)
        return httpx.Response(401, json=AuthenticationError().body())


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def authenticator(service: Service) -> Authenticator:
    upstream = Upstream("session service", "http://sessions", SecretStr("x"), timeout_s=1)
    upstream._client = httpx.AsyncClient(transport=httpx.MockTransport(service), base_url="http://sessions")
    return Authenticator(SessionsClient(upstream, key_check_timeout_s=3.0), ttl_s=60, refused_ttl_s=5)


async def test_a_known_key_is_asked_for_once_even_by_many_at_a_time(authenticator: Any, service: Service) -> None:
    identities = await asyncio.gather(*(authenticator.identity("Bearer good") for _ in range(5)))
    again = await authenticator.identity("bearer good")

    assert {identity.key_id for identity in [*identities, again]} == {"k"}
    assert service.asked == 1


async def test_a_refused_key_is_remembered_too(authenticator: Any, service: Service) -> None:
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            await authenticator.identity("Bearer bad")

    assert service.asked == 1


async def test_without_the_service_a_remembered_key_gets_in_and_a_new_one_does_not(
    authenticator: Any, service: Service
) -> None:
    await authenticator.identity("Bearer good")
    service.is_away = True

    assert (await authenticator.identity("Bearer good")).key_id == "k"
    with pytest.raises(UnavailableError):
        await authenticator.identity("Bearer good as well")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic good"])
async def test_a_header_without_a_key_is_refused_without_asking(
    authenticator: Any, service: Service, header: str | None
) -> None:
    with pytest.raises(AuthenticationError):
        await authenticator.identity(header)

    assert service.asked == 0


def test_only_a_reader_may_not_write() -> None:
    require_writer(Identity(tenant_id="t", key_id="k", role="user", limits=Limits()))
    with pytest.raises(PermissionDeniedError):
        require_writer(Identity(tenant_id="t", key_id="k", role="read-only", limits=Limits()))
