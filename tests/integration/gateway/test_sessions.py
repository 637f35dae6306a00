import json
from typing import Any

import httpx
import pytest

from gateway.routes import session_export
from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway
from tests.integration.gateway.sse_reader import frames, text_of

URL = "/v1/chat/completions"


@pytest.fixture
def session_id(http: httpx.Client) -> str:
    made: str = http.post("/v1/sessions", json={"title": "A talk"}).raise_for_status().json()["id"]
    return made


def asked(session_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "model": "drover-tiny",
        "messages": [{"role": "user", "content": "Hello"}],
        "session_id": session_id,
        **fields,
    }


def messages(http: httpx.Client, session_id: str) -> list[tuple[str, str]]:
    listed = http.get(f"/v1/sessions/{session_id}/messages").raise_for_status().json()["data"]
    return [(message["role"], message["content"]) for message in listed]


def test_the_last_chunk_comes_after_the_message_is_stored(
    http: httpx.Client, worker: ScriptedWorker, session_id: str
) -> None:
    with http.stream("POST", URL, json=asked(session_id, stream=True)) as response:
        read = list(frames(response))

    assert text_of(read) == "Hello wörld!"
    assert "drover" not in read[-2].data
    assert response.headers["x-session-id"] == session_id
    assert messages(http, session_id) == [("user", "Hello"), ("assistant", "Hello wörld!")]


def test_the_next_turn_is_sent_with_the_history(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    http.post(URL, json=asked(session_id)).raise_for_status()

    second = http.post(URL, json=asked(session_id)).raise_for_status()

    roles = [message.role for message in worker.jobs[second.headers["x-job-id"]].messages]
    assert roles == ["user", "assistant", "user"]


def test_a_second_turn_during_the_first_is_a_409(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    worker.gate.clear()
    with http.stream("POST", URL, json=asked(session_id, stream=True)) as first:
        assert first.status_code == 200
        second = http.post(URL, json=asked(session_id))

    assert second.status_code == 409
    assert second.json()["error"]["code"] == "turn_in_progress"


def test_a_refused_accept_leaves_no_turn_behind(gateway: str, sessions: Sessions, worker: ScriptedWorker) -> None:
    key = sessions.key(tenant="refused", concurrent_jobs=1)
    worker.gate.clear()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=gateway, headers=headers, timeout=20) as http:
        first = http.post("/v1/sessions", json={}).json()["id"]
        second = http.post("/v1/sessions", json={}).json()["id"]
        with http.stream("POST", URL, json=asked(first, stream=True)) as holding:
            assert holding.status_code == 200
            refused = http.post(URL, json=asked(second))
            worker.gate.set()
            list(frames(holding))
        again = http.post(URL, json=asked(second))
        stored = messages(http, second)

    assert refused.status_code == 429
    assert again.status_code == 200
    assert [role for role, _ in stored] == ["user", "assistant"]


def test_the_same_key_attaches_to_the_turn_instead_of_beginning_another(
    http: httpx.Client, worker: ScriptedWorker, session_id: str
) -> None:
    key = {"Idempotency-Key": "k1"}

    first = http.post(URL, json=asked(session_id), headers=key)
    again = http.post(URL, json=asked(session_id), headers=key)
    other = http.post(URL, json=asked(session_id, temperature=0.5), headers=key)

    assert first.json()["choices"] == again.json()["choices"]
    assert first.headers["x-job-id"] == again.headers["x-job-id"]
    assert other.status_code == 422
    assert len(messages(http, session_id)) == 2


def test_dropped_messages_are_told(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    long = [{"role": "user", "content": "apple pear plum " * 8}]
    answers = [http.post(URL, json=asked(session_id, messages=long)).raise_for_status() for _ in range(6)]

    assert "drover" not in answers[0].json()
    assert answers[-1].json()["drover"]["truncation"]["dropped_messages"] > 0


def test_sessions_are_listed_described_and_deleted(http: httpx.Client, session_id: str) -> None:
    assert http.get("/v1/sessions", params={"limit": 1}).json()["data"][0]["id"] == session_id
    assert http.get(f"/v1/sessions/{session_id}").json()["title"] == "A talk"

    assert http.delete(f"/v1/sessions/{session_id}").json()["deleted"] is True

    gone = http.get(f"/v1/sessions/{session_id}")
    assert gone.status_code == 404
    assert gone.json()["error"]["code"] == "session_not_found"


def test_a_foreign_session_is_a_404_like_a_missing_one(
    http: httpx.Client, gateway: str, sessions: Sessions, session_id: str
) -> None:
    stranger = {"Authorization": f"Bearer {sessions.key(tenant='stranger')}"}

    foreign = httpx.get(f"{gateway}/v1/sessions/{session_id}", headers=stranger)
    missing = httpx.get(f"{gateway}/v1/sessions/sess_nothing", headers=stranger)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.json()["error"]["code"] == missing.json()["error"]["code"] == "session_not_found"


@pytest.mark.parametrize(
    "body",
    [
        {"title": 7},
        {"title": "x" * 201},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "x" * 513}},
        {"metadata": {"x" * 65: "a"}},
        {"metadata": {str(number): "a" for number in range(17)}},
        {"unknown": 1},
    ],
)
def test_a_malformed_session_is_a_400(http: httpx.Client, body: dict[str, Any]) -> None:
    answer = http.post("/v1/sessions", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(next(iter(body)))


def test_a_path_in_the_id_does_not_reach_another_internal_address(http: httpx.Client) -> None:
    for session_id in ("..%2Fkeys", "%2e%2e", "a%3Fb", "a%2Fmessages"):
        assert http.get(f"/v1/sessions/{session_id}").status_code in (404, 405)


def test_a_session_is_renamed_and_what_is_not_named_stays(http: httpx.Client, session_id: str) -> None:
    path = f"/v1/sessions/{session_id}"
    http.patch(path, json={"metadata": {"for": "tests"}}).raise_for_status()

    renamed = http.post(path, json={"title": "Another"}).raise_for_status().json()

    assert (renamed["title"], renamed["metadata"]) == ("Another", {"for": "tests"})
    assert http.patch(path, json={"title": None}).json()["title"] is None


def test_a_session_says_what_its_turns_have_used(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    http.post(URL, json=asked(session_id)).raise_for_status()

    usage = http.get(f"/v1/sessions/{session_id}").json()["usage"]

    assert (usage["turns"], usage["prompt_tokens"], usage["cached_tokens"]) == (1, 7, 3)
    assert usage["by_model"][0]["model"] == "drover-tiny"


def test_a_message_is_edited_in_a_fork(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    for _ in range(2):
        http.post(URL, json=asked(session_id)).raise_for_status()
    second = http.get(f"/v1/sessions/{session_id}/messages").json()["data"][2]

    body = {"message_id": second["id"], "inclusive": False}
    fork = http.post(f"/v1/sessions/{session_id}/fork", json=body).raise_for_status().json()
    edited = [{"role": "user", "content": "Put differently"}]
    http.post(URL, json=asked(fork["id"], messages=edited)).raise_for_status()

    assert fork["forked_from"] == {"session_id": session_id, "message_id": second["id"]}
    assert [content for role, content in messages(http, fork["id"]) if role == "user"] == ["Hello", "Put differently"]
    assert [content for role, content in messages(http, session_id) if role == "user"] == ["Hello", "Hello"]


def test_a_fork_keeps_the_title_unless_another_is_given(
    http: httpx.Client, worker: ScriptedWorker, session_id: str
) -> None:
    http.post(URL, json=asked(session_id)).raise_for_status()
    http.patch(f"/v1/sessions/{session_id}", json={"title": "A talk", "metadata": {"for": "tests"}}).raise_for_status()
    first = http.get(f"/v1/sessions/{session_id}/messages").json()["data"][0]["id"]
    path = f"/v1/sessions/{session_id}/fork"

    same = http.post(path, json={"message_id": first}).raise_for_status().json()
    untitled = http.post(path, json={"message_id": first, "title": None}).raise_for_status().json()

    assert (same["title"], same["metadata"]) == ("A talk", {"for": "tests"})
    assert (untitled["title"], untitled["metadata"]) == (None, {"for": "tests"})


def test_messages_are_paged_from_either_end(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    for _ in range(2):
        http.post(URL, json=asked(session_id)).raise_for_status()
    path = f"/v1/sessions/{session_id}/messages"
    every = [message["id"] for message in http.get(path).json()["data"]]

    last = http.get(path, params={"order": "desc", "limit": 1}).json()
    before = http.get(path, params={"before": every[3], "limit": 2}).json()

    assert (last["first_id"], last["has_more"]) == (every[3], True)
    assert [message["id"] for message in before["data"]] == every[1:3]
    assert http.get(path, params={"order": "sideways"}).status_code == 400


def test_an_export_has_the_session_and_then_every_message_a_line(
    http: httpx.Client, worker: ScriptedWorker, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_export, "PAGE", 3)  # several pages
    for _ in range(4):
        http.post(URL, json=asked(session_id)).raise_for_status()

    answer = http.get(f"/v1/sessions/{session_id}/export").raise_for_status()

    head, *lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert (head["object"], head["id"], head["message_count"], head["usage"]["turns"]) == ("session", session_id, 8, 4)
    assert lines == http.get(f"/v1/sessions/{session_id}/messages", params={"limit": 100}).json()["data"]
    assert [line["role"] for line in lines] == ["user", "assistant"] * 4
    assert (lines[1]["finish_reason"], lines[1]["usage"]["prompt_tokens"]) == ("stop", 7)


def test_the_export_of_a_missing_session_is_a_404(http: httpx.Client) -> None:
    answer = http.get("/v1/sessions/sess_nothing/export")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "session_not_found")


def test_turns_tell_what_they_dropped(http: httpx.Client, worker: ScriptedWorker, session_id: str) -> None:
    long = [{"role": "user", "content": "apple pear plum " * 8}]
    for _ in range(6):
        told = http.post(URL, json=asked(session_id, messages=long)).raise_for_status().json()

    turns = http.get(f"/v1/sessions/{session_id}/turns").json()["data"]

    assert turns[0]["truncation"]["dropped_messages"] == 0
    assert turns[-1]["truncation"] == told["drover"]["truncation"]


@pytest.mark.parametrize("method", ["PATCH", "POST", "DELETE"])
def test_a_read_only_key_changes_no_session(gateway: str, sessions: Sessions, session_id: str, method: str) -> None:
    headers = {"Authorization": f"Bearer {sessions.key(role='read-only')}"}

    answer = httpx.request(method, f"{gateway}/v1/sessions/{session_id}", headers=headers, json={"title": "Mine"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


def test_a_turn_follows_at_once_on_one_whose_message_was_not_stored_yet(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker
) -> None:
    impatient = start_gateway(stored_wait_s=0)
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=impatient, headers=headers, timeout=20) as http:
        session_id = http.post("/v1/sessions", json={}).json()["id"]
        answers = [http.post(URL, json=asked(session_id)) for _ in range(10)]

    assert [answer.status_code for answer in answers] == [200] * 10
    seen = [len(worker.jobs[answer.headers["x-job-id"]].messages) for answer in answers]
    assert seen == [2 * number + 1 for number in range(10)]
