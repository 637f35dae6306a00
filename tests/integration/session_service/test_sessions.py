"""Stored conversations over HTTP, on a real Postgres."""

from typing import Any

import httpx
import pytest

from tests.integration.session_service.caller import Turns


def of(tenant: str) -> dict[str, str]:
    return {"X-Drover-Tenant": tenant}


async def create(http: httpx.AsyncClient, tenant: str, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/internal/sessions", json=fields, headers=of(tenant))
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_session_is_what_was_asked_for(http: httpx.AsyncClient, tenant: str) -> None:
    made = await create(http, tenant, title="A talk", metadata={"for": "tests"}, system="Be brief.")

    read = (await http.get(f"/internal/sessions/{made['id']}", headers=of(tenant))).json()

    assert read == made
    assert (made["object"], made["title"], made["metadata"]) == ("session", "A talk", {"for": "tests"})
    assert made["message_count"] == 1
    assert made["id"].startswith("sess_")


async def test_sessions_are_listed_newest_first_in_pages(http: httpx.AsyncClient, tenant: str) -> None:
    made = [(await create(http, tenant))["id"] for _ in range(5)]

    first = (await http.get("/internal/sessions", params={"limit": 3}, headers=of(tenant))).json()
    params = {"limit": 3, "after": first["last_id"]}
    second = (await http.get("/internal/sessions", params=params, headers=of(tenant))).json()

    assert [session["id"] for session in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert (second["first_id"], second["last_id"]) == (made[1], made[0])


async def test_a_tenant_without_sessions_has_an_empty_list(http: httpx.AsyncClient, tenant: str) -> None:
    listed = (await http.get("/internal/sessions", headers=of(tenant))).json()

    assert listed == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_messages_are_listed_oldest_first_in_pages(turns: Turns, running: None) -> None:
    for text in ("One", "Two"):
        await turns.wait_until_stored(await turns.run(text))
    path = f"/internal/sessions/{turns.session_id}/messages"

    first = (await turns.http.get(path, params={"limit": 3}, headers=of(turns.tenant))).json()
    params = {"limit": 3, "after": first["last_id"]}
    second = (await turns.http.get(path, params=params, headers=of(turns.tenant))).json()

    assert [message["content"] for message in first["data"] + second["data"]] == ["One", "Hello", "Two", "Hello"]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert all(message["id"].startswith("msg_") for message in first["data"])


async def test_a_deleted_session_is_gone_with_its_messages(turns: Turns) -> None:
    await turns.begin()
    path = f"/internal/sessions/{turns.session_id}"

    deleted = await turns.http.delete(path, headers=of(turns.tenant))

    assert deleted.json() == {"id": turns.session_id, "object": "session.deleted", "deleted": True}
    for gone in (path, f"{path}/messages"):
        assert (await turns.http.get(gone, headers=of(turns.tenant))).status_code == 404
    assert (await turns.http.delete(path, headers=of(turns.tenant))).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/messages")])
async def test_another_tenants_session_looks_like_a_missing_one(
    http: httpx.AsyncClient, tenant: str, stranger: str, session_id: str, method: str, path: str
) -> None:
    foreign = await http.request(method, f"/internal/sessions/{session_id}{path}", headers=of(stranger))
    missing = await http.request(method, f"/internal/sessions/sess_of_nobody{path}", headers=of(stranger))

    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)
    assert foreign.json()["error"]["code"] == "session_not_found"
    assert (await http.get(f"/internal/sessions/{session_id}", headers=of(tenant))).status_code == 200


async def test_another_tenants_sessions_are_not_listed(
    http: httpx.AsyncClient, tenant: str, stranger: str, session_id: str
) -> None:
    listed = (await http.get("/internal/sessions", headers=of(stranger))).json()

    assert listed["data"] == []


async def test_another_tenants_message_is_no_cursor(turns: Turns, stranger: str) -> None:
    await turns.begin()
    theirs = await create(turns.http, stranger, system="Be brief.")
    mine = (await turns.messages())[0]["id"]

    answer = await turns.http.get(
        f"/internal/sessions/{theirs['id']}/messages", params={"after": mine}, headers=of(stranger)
    )

    assert answer.json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"title": "x" * 201},
        {"metadata": {str(number): "" for number in range(17)}},
        {"unknown": 1},
        {"title": 5},
        {"system": "nul \x00"},
        {"metadata": {"nul": "\x00"}},
    ],
)
async def test_what_cannot_be_a_session_is_refused(
    http: httpx.AsyncClient, tenant: str, body: dict[str, object]
) -> None:
    answer = await http.post("/internal/sessions", json=body, headers=of(tenant))

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}])
async def test_a_page_has_one_to_a_hundred_entries(
    http: httpx.AsyncClient, tenant: str, params: dict[str, Any]
) -> None:
    assert (await http.get("/internal/sessions", params=params, headers=of(tenant))).status_code == 400


async def test_an_id_with_a_character_that_postgres_refuses_is_a_400(http: httpx.AsyncClient, tenant: str) -> None:
    assert (await http.get("/internal/sessions/%00", headers=of(tenant))).status_code == 400


async def test_a_call_without_a_tenant_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/internal/sessions")).status_code == 400
