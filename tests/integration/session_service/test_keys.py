"""API keys on a real Postgres: who gets in, and with which limits."""

import asyncio

import httpx
import pytest

from session_service.database import Database
from session_service.keys import create_key
from session_service.settings import SessionSettings
from shared.bodies.keys import Limits
from shared.settings import ConfigurationError
from tests.integration.session_service.caller import Rows
from tests.integration.session_service.conftest import MakeKey


async def verify(http: httpx.AsyncClient, api_key: str) -> httpx.Response:
    return await http.post("/internal/keys/verify", json={"api_key": api_key})


async def test_a_key_says_who_calls(http: httpx.AsyncClient, make_key: MakeKey) -> None:
    made = await make_key("acme", role="user", requests_per_minute=5)

    identity = (await verify(http, made.api_key)).json()

    assert identity == {
        "tenant_id": made.tenant_id,
        "key_id": made.key_id,
        "role": "user",
        "limits": {"requests_per_minute": 5, "tokens_per_minute": None, "concurrent_jobs": 64},
    }


async def test_an_admin_has_no_limit_by_default(http: httpx.AsyncClient, make_key: MakeKey) -> None:
    made = await make_key(role="admin")

    limits = (await verify(http, made.api_key)).json()["limits"]

    assert set(limits.values()) == {None}


async def test_zero_is_no_limit(http: httpx.AsyncClient, make_key: MakeKey) -> None:
    made = await make_key(requests_per_minute=0)

    assert (await verify(http, made.api_key)).json()["limits"]["requests_per_minute"] is None


async def test_the_secret_is_not_stored(rows: Rows, make_key: MakeKey) -> None:
    made = await make_key()

    [(digest,)] = rows.all("SELECT digest FROM api_keys")

    assert len(digest) == 32
    assert made.api_key.encode() not in digest


async def test_every_wrong_key_gets_the_same_answer(http: httpx.AsyncClient, rows: Rows, make_key: MakeKey) -> None:
    revoked, expired, good = [await make_key() for _ in range(3)]
    rows.run("UPDATE api_keys SET revoked_at = now() WHERE id = %s", revoked.key_id)
    rows.run("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = %s", expired.key_id)
    wrong_secret = f"drv_{good.key_id}_{'x' * 43}"
    unknown_id = f"drv_0123456789abcdef_{good.api_key.rsplit('_', 1)[-1]}"

    keys = [revoked.api_key, expired.api_key, wrong_secret, unknown_id, "", "sk-1", "drv_\x00_" + "x" * 43]
    answers = [await verify(http, key) for key in keys]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert (await verify(http, good.api_key)).status_code == 200


async def test_a_key_that_expires_later_is_good(http: httpx.AsyncClient, rows: Rows, make_key: MakeKey) -> None:
    made = await make_key()
    rows.run("UPDATE api_keys SET expires_at = now() + interval '1 hour'")

    assert (await verify(http, made.api_key)).status_code == 200


async def test_the_same_key_made_by_many_at_once_is_one_key(
    http: httpx.AsyncClient, database: Database, settings: SessionSettings, rows: Rows
) -> None:
    api_key = "drv_demo_" + "x" * 32

    async def create() -> str:
        async with database.transaction() as tx:
            made = await create_key(
                tx, tenant="acme", role="user", pepper=settings.key_pepper, api_key=api_key, limits=Limits()
            )
        return made.tenant_id

    tenants = await asyncio.gather(*(create() for _ in range(8)))

    assert len(set(tenants)) == 1
    assert rows.all("SELECT id, role FROM api_keys") == [("demo", "user")]
    assert (await verify(http, api_key)).status_code == 200


async def test_an_id_that_is_taken_is_not_overwritten(database: Database, settings: SessionSettings) -> None:
    async def create(tenant: str, secret: str) -> None:
        async with database.transaction() as tx:
            await create_key(
                tx,
                tenant=tenant,
                role="user",
                pepper=settings.key_pepper,
                api_key=f"drv_demo_{secret}",
                limits=Limits(),
            )

    await create("acme", "x" * 32)

    for tenant, secret in (("acme", "y" * 32), ("stranger", "x" * 32)):
        with pytest.raises(ConfigurationError, match="belongs to another"):
            await create(tenant, secret)


async def test_a_malformed_key_is_not_made(database: Database, settings: SessionSettings) -> None:
    with pytest.raises(ConfigurationError, match="drv_<id>_<secret>"):
        async with database.transaction() as tx:
            await create_key(
                tx, tenant="acme", role="user", pepper=settings.key_pepper, api_key="secret", limits=Limits()
            )
