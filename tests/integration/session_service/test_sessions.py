"""Stored conversations over HTTP, on a real Postgres."""

from typing import Any

import httpx
import pytest

from tests.integration.session_service.caller import MODEL, Rows, Turns


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


async def test_sessions_are_listed_in_either_order_and_direction(http: httpx.AsyncClient, tenant: str) -> None:
    made = [(await create(http, tenant))["id"] for _ in range(5)]

    async def listed(**params: Any) -> list[str]:
        answer = (await http.get("/internal/sessions", params={"limit": 2, **params}, headers=of(tenant))).json()
        return [session["id"] for session in answer["data"]]

    assert await listed(order="asc") == made[:2]
    assert await listed(order="asc", after=made[1]) == made[2:4]
    assert await listed(before=made[1]) == [made[3], made[2]]
    assert await listed(order="asc", before=made[3]) == made[1:3]


async def test_what_is_not_named_stays_and_a_null_takes_away(http: httpx.AsyncClient, tenant: str) -> None:
    made = await create(http, tenant, title="A talk", metadata={"for": "tests"})
    path = f"/internal/sessions/{made['id']}"

    renamed = (await http.patch(path, json={"title": "Another"}, headers=of(tenant))).json()
    marked = (await http.patch(path, json={"metadata": {"of": "us"}}, headers=of(tenant))).json()
    bare = (await http.patch(path, json={"title": None, "metadata": None}, headers=of(tenant))).json()

    assert (renamed["title"], renamed["metadata"]) == ("Another", {"for": "tests"})
    assert (marked["title"], marked["metadata"]) == ("Another", {"of": "us"})
    assert (bare["title"], bare["metadata"]) == (None, {})
    assert (await http.get(path, headers=of(tenant))).json() == bare


async def test_a_session_says_what_it_has_cost_by_model(turns: Turns, rows: Rows, running: None) -> None:
    empty = (await turns.http.get(f"/internal/sessions/{turns.session_id}", headers=of(turns.tenant))).json()
    for text in ("One", "Two"):
        await turns.wait_until_stored(await turns.run(text))
    rows.run("UPDATE usage_records SET model = 'another' WHERE job_id = (SELECT max(job_id) FROM usage_records)")

    usage = (await turns.http.get(f"/internal/sessions/{turns.session_id}", headers=of(turns.tenant))).json()["usage"]

    assert (empty["usage"]["turns"], empty["usage"]["by_model"], empty["usage"]["last_activity_at"]) == (0, [], None)
    each = {"turns": 1, "prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 3}
    assert usage["by_model"] == [{"model": "another", **each}, {"model": MODEL, **each}]
    assert (usage["turns"], usage["prompt_tokens"], usage["completion_tokens"]) == (2, 14, 4)
    assert (usage["cached_tokens"], usage["total_tokens"]) == (6, 18)
    assert usage["first_activity_at"] <= usage["last_activity_at"]


async def test_the_turns_of_a_session_say_how_each_ended_and_what_it_dropped(turns: Turns) -> None:
    for number in range(6):
        await turns.run(f"{number} " + "word " * 8, reply=["answer "] * 4)
    await turns.run("Broken", reason="cancelled")
    begun = (await turns.begin("And now?")).json()

    path = f"/internal/sessions/{turns.session_id}/turns"
    listed = (await turns.http.get(path, params={"limit": 3, "order": "desc"}, headers=of(turns.tenant))).json()

    assert [turn["state"] for turn in listed["data"]] == ["pending", "cancelled", "done"]
    assert listed["data"][0]["id"] == begun["turn_id"]
    assert listed["data"][0]["truncation"] == begun["truncation"]
    assert begun["truncation"]["dropped_messages"] > 0
    assert listed["data"][2]["output"]["content"] == "answer " * 4
    assert listed["has_more"] is True


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


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("GET", "/messages", None),
        ("POST", "/messages", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("GET", "/turns", None),
        ("POST", "/fork", {"message_id": "msg_1"}),
    ],
)
async def test_another_tenants_session_looks_like_a_missing_one(
    http: httpx.AsyncClient,
    tenant: str,
    stranger: str,
    session_id: str,
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    foreign = await http.request(method, f"/internal/sessions/{session_id}{path}", json=body, headers=of(stranger))
    missing = await http.request(method, f"/internal/sessions/sess_of_nobody{path}", json=body, headers=of(stranger))

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

    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "after")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user"}]},
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
