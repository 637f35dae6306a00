"""Who may not see or change a response, and what none can be asked for."""

from typing import Any

import httpx
import openai
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions
from tests.integration.gateway.response_reader import MODEL, TEXT, WEATHER


def test_a_reader_with_a_read_only_key_may_look_and_no_more(
    openai_client: openai.OpenAI, worker: ScriptedWorker, gateway: str, sessions: Sessions
) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi")
    reader = openai.OpenAI(base_url=f"{gateway}/v1", api_key=sessions.key(role="read-only"), max_retries=0)

    assert reader.responses.retrieve(made.id).output_text == TEXT
    for refused in (
        lambda: reader.responses.create(model=MODEL, input="Hi"),
        lambda: reader.responses.delete(made.id),
        lambda: reader.responses.cancel(made.id),
        lambda: reader.conversations.create(),
    ):
        with pytest.raises(openai.PermissionDeniedError):
            refused()


def test_another_tenants_response_looks_like_a_missing_one(
    openai_client: openai.OpenAI, worker: ScriptedWorker, gateway: str, sessions: Sessions
) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi")
    headers = {"Authorization": f"Bearer {sessions.key(tenant='two')}"}

    with httpx.Client(base_url=gateway, headers=headers) as stranger:
        for response_id in (made.id, "resp_" + "0" * 32):
            path = f"/v1/responses/{response_id}"
            for method, at in (
                ("GET", path),
                ("DELETE", path),
                ("POST", f"{path}/cancel"),
                ("GET", f"{path}/input_items"),
            ):
                answer = stranger.request(method, at)
                assert answer.status_code == 404
                assert answer.json()["error"]["message"] == f"Response with id '{response_id}' not found."
            body = {"model": MODEL, "input": "Hi", "previous_response_id": response_id}
            assert stranger.post("/v1/responses", json=body).json()["error"]["code"] == "previous_response_not_found"


def test_chat_turns_are_no_responses(openai_client: openai.OpenAI, http: httpx.Client, worker: ScriptedWorker) -> None:
    session_id = http.post("/v1/sessions", json={}).json()["id"]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "session_id": session_id}
    turn_id = http.post("/v1/chat/completions", json=body).headers["x-job-id"]

    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(f"resp_{turn_id}")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input.0.content.0"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"input": [{"type": "computer_call_output", "call_id": "c"}]}, "input.0"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"effort": "high"}}, "reasoning.effort"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True, "store": False}, "background"),
        ({"conversation": "conv_1", "previous_response_id": "resp_1"}, "conversation"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"include": ["everything"]}, "include.0"),
        ({"max_output_tokens": 5000}, "max_output_tokens"),
        ({"input": "x " * 2000}, "input"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_name(http: httpx.Client, fields: dict[str, Any], param: str) -> None:
    answer = http.post("/v1/responses", json={"model": MODEL, "input": "Hi", **fields})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
