"""Conversations that the platform remembers."""

from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.stack import Stack


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


@pytest.fixture
def session_id(http: httpx.Client) -> str:
    answer = http.post("/v1/sessions", json={"title": "A talk"})
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["id"]
    return made


def say(client: openai.OpenAI, stack: Stack, session_id: str, text: str) -> str:
    stream = client.chat.completions.create(
        model=stack.model,
        messages=[{"role": "user", "content": text}],
        temperature=0,
        stream=True,
        extra_body={"session_id": session_id},
    )
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_the_model_recalls_over_turns_what_the_session_stored(
    client: openai.OpenAI, stack: Stack, session_id: str, http: httpx.Client
) -> None:
    answers = [
        say(client, stack, session_id, text)
        for text in ("Hello, my name is Anna.", "What is the capital of Italy?", "What is my name?")
    ]

    assert "Rome" in answers[1]
    assert "Anna" in answers[2]
    stored = http.get(f"/v1/sessions/{session_id}/messages").json()["data"]
    assert [message["role"] for message in stored] == ["user", "assistant"] * 3
    assert [message["content"] for message in stored if message["role"] == "assistant"] == answers


def test_a_turn_sees_the_reply_of_the_turn_before_at_once(
    client: openai.OpenAI, stack: Stack, session_id: str, http: httpx.Client
) -> None:
    for turn in range(1, 6):
        say(client, stack, session_id, "Say hello.")
        assert len(http.get(f"/v1/sessions/{session_id}/messages").json()["data"]) == 2 * turn


def test_a_long_conversation_is_truncated_instead_of_refused(
    client: openai.OpenAI, stack: Stack, session_id: str
) -> None:
    for number in range(12):
        answer = client.chat.completions.create(
            model=stack.model,
            messages=[{"role": "user", "content": f"Repeat: {'apple pear plum ' * 8}{number}"}],
            max_tokens=40,
            extra_body={"session_id": session_id},
        )
        assert answer.usage.prompt_tokens + 40 <= 512


def test_a_session_can_be_listed_read_and_deleted(http: httpx.Client, session_id: str) -> None:
    assert session_id in [session["id"] for session in http.get("/v1/sessions").json()["data"]]
    assert http.get(f"/v1/sessions/{session_id}").json()["title"] == "A talk"

    assert http.delete(f"/v1/sessions/{session_id}").json()["deleted"] is True

    assert http.get(f"/v1/sessions/{session_id}").status_code == 404


def test_another_tenants_session_is_a_404_like_a_missing_one(stack: Stack, session_id: str) -> None:
    with stack.client(api_key=stack.another_tenants_key()) as stranger:
        foreign = stranger.get(f"/v1/sessions/{session_id}")
        missing = stranger.get("/v1/sessions/sess_01890000000070008000000000000000")
        turn = stranger.post(
            "/v1/chat/completions",
            json={
                "model": stack.model,
                "session_id": session_id,
                "messages": [{"role": "user", "content": "What is my name?"}],
            },
        )

    assert foreign.status_code == missing.status_code == turn.status_code == 404
    assert foreign.json()["error"]["code"] == missing.json()["error"]["code"] == "session_not_found"
    assert turn.json()["error"]["code"] == "session_not_found"
