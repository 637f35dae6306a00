"""/v1/responses with OpenAI's own client, a real session service and a scripted worker."""

import time
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from openai.types.responses import Response

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions
from tests.integration.gateway.response_reader import MODEL, events_of, forget_log
from tests.integration.gateway.sse_reader import Frame, frames

TEXT = "Hello wörld!"
WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}


def streamed(http: httpx.Client, **body: Any) -> list[Frame]:
    with http.stream("POST", "/v1/responses", json={"model": MODEL, "input": "Hi", "stream": True, **body}) as response:
        return events_of(response)


def test_a_response_is_answered_and_read_again_as_openais_own_model(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    made = openai_client.responses.create(
        model=MODEL, input="Hi", instructions="Be brief.", metadata={"for": "tests"}, temperature=0.5, user="u"
    )
    read = openai_client.responses.retrieve(made.id)

    assert (made.status, made.output_text, made.error, made.incomplete_details) == ("completed", TEXT, None, None)
    assert (made.instructions, made.metadata, made.temperature, made.user) == ("Be brief.", {"for": "tests"}, 0.5, "u")
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usage.total_tokens) == (7, 5, 12)
    assert made.usage.input_tokens_details.cached_tokens == 3
    assert abs(made.created_at - time.time()) < 60
    assert read.completed_at is not None
    assert read.model_dump(exclude={"completed_at"}) == made.model_dump(exclude={"completed_at"})
    Response.model_validate(read.to_dict())
    said = worker.jobs[made.id.removeprefix("resp_")].messages
    assert [(message.role, message.content) for message in said] == [("system", "Be brief."), ("user", "Hi")]


def test_every_event_is_openais_and_numbered_without_gaps(http: httpx.Client, worker: ScriptedWorker) -> None:
    read = streamed(http)

    assert [frame.data["sequence_number"] for frame in read] == list(range(len(read)))
    assert [frame.event for frame in read] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 4,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(frame.data["delta"] for frame in read if "delta" in frame.data) == TEXT
    stored = http.get(f"/v1/responses/{read[0].data['response']['id']}").json()
    assert {**stored, "completed_at": None} == {**read[-1].data["response"], "completed_at": None}


def test_openais_stream_helper_puts_the_response_together(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    with openai_client.responses.stream(model=MODEL, input="Hi") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert "".join(deltas) == final.output_text == TEXT


def test_a_caller_who_waits_in_the_queue_has_the_responses_id_already(http: httpx.Client, redis_url: str) -> None:
    with http.stream("POST", "/v1/responses", json={"model": MODEL, "input": "Hi", "stream": True}) as response:
        first = next(frames(response))

    assert first.event == "response.created"


def test_a_chain_sees_all_that_went_before_and_branches_do_not_see_each_other(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    first = openai_client.responses.create(model=MODEL, input="One", instructions="Be brief.")
    second = openai_client.responses.create(model=MODEL, input="Two", previous_response_id=first.id)
    other = openai_client.responses.create(model=MODEL, input="Three", previous_response_id=first.id)

    def prompt(response: Response) -> list[str]:
        return [message.content for message in worker.jobs[response.id.removeprefix("resp_")].messages]

    assert prompt(second) == ["One", TEXT, "Two"]
    assert prompt(other) == ["One", TEXT, "Three"]
    assert second.previous_response_id == first.id


def test_a_deleted_response_is_gone_and_its_chain_goes_on_without_it(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    first = openai_client.responses.create(model=MODEL, input="One")
    second = openai_client.responses.create(model=MODEL, input="Two", previous_response_id=first.id)
    openai_client.responses.delete(first.id)

    third = openai_client.responses.create(model=MODEL, input="Three", previous_response_id=second.id)

    with pytest.raises(openai.NotFoundError, match=first.id):
        openai_client.responses.retrieve(first.id)
    said = worker.jobs[third.id.removeprefix("resp_")].messages
    assert [message.content for message in said] == ["Two", TEXT, "Three"]


def test_what_is_not_stored_cannot_be_read_or_gone_on_from(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi", store=False)

    assert (made.output_text, made.store if hasattr(made, "store") else None) == (TEXT, False)
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as refused:
        openai_client.responses.create(model=MODEL, input="More", previous_response_id=made.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


def test_an_answer_that_was_cut_short_is_incomplete_and_says_why(
    openai_client: openai.OpenAI, http: httpx.Client, worker: ScriptedWorker
) -> None:
    worker.finish_reason = "length"

    made = openai_client.responses.create(model=MODEL, input="Hi", max_output_tokens=5)
    last = streamed(http, max_output_tokens=5)[-1]

    assert (made.status, made.max_output_tokens) == ("incomplete", 5)
    assert made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"
    assert openai_client.responses.retrieve(made.id).status == "incomplete"
    assert (last.event, last.data["response"]["output"][0]["status"]) == ("response.incomplete", "incomplete")


def test_a_job_that_fails_fails_the_stream_the_call_and_the_stored_response(
    openai_client: openai.OpenAI, http: httpx.Client, worker: ScriptedWorker
) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "It broke.", "type": "server_error", "param": None, "code": "inference_error"}

    read = streamed(http)
    with pytest.raises(openai.InternalServerError, match="It broke"):
        openai_client.responses.create(model=MODEL, input="Hi")

    failed = read[-1].data["response"]
    assert (read[-1].event, failed["status"]) == ("response.failed", "failed")
    assert failed["error"] == {"code": "server_error", "message": "It broke.", "type": "inference_error"}
    stored = openai_client.responses.retrieve(failed["id"])
    assert stored.error is not None
    assert (stored.status, stored.error.message) == ("failed", "It broke.")


def test_logprobs_come_with_the_deltas_and_the_parts(http: httpx.Client, worker: ScriptedWorker) -> None:
    read = streamed(http, include=["message.output_text.logprobs"], top_logprobs=2)

    told = [entry for frame in read if "delta" in frame.data for entry in frame.data["logprobs"]]
    whole = read[-1].data["response"]["output"][0]["content"][0]["logprobs"]
    assert [entry["token"] for entry in told] == ["Hel", "lo", "", " wörld", "!"]
    assert told == whole
    assert [len(entry["top_logprobs"]) for entry in whole] == [2] * 5


def test_calls_are_items_and_their_outputs_go_back_in(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.texts = ['{"na', 'me": "weather", "arg', 'uments": {"city": "Rome"}}']
    made = openai_client.responses.create(
        model=MODEL, input="Weather?", tools=[WEATHER], tool_choice="required", max_output_tokens=16
    )
    call = made.output[0]
    worker.texts = ["Sunny."]
    assert call.type == "function_call"
    answered = openai_client.responses.create(
        model=MODEL,
        previous_response_id=made.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sun"}],
    )

    assert (call.name, call.arguments, call.status) == ("weather", '{"city": "Rome"}', "completed")
    assert openai_client.responses.retrieve(made.id).output == made.output
    job = worker.jobs[answered.id.removeprefix("resp_")]
    assert [message.role for message in job.messages] == ["user", "assistant", "tool"]
    assert job.messages[1].tool_calls is not None
    assert job.messages[1].tool_calls[0].id == job.messages[2].tool_call_id == call.call_id
    assert answered.output_text == "Sunny."


def test_a_whole_history_can_be_sent_with_every_request(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    history: list[Any] = [{"role": "user", "content": "Weather?"}]
    worker.texts = ['Let me see.\n<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call>']
    made = openai_client.responses.create(
        model=MODEL, input=history, tools=[WEATHER], store=False, max_output_tokens=16
    )
    history += [item.model_dump() for item in made.output]
    history.append({"type": "function_call_output", "call_id": history[-1]["call_id"], "output": "sun"})

    again = openai_client.responses.create(model=MODEL, input=history, max_output_tokens=16)

    assert [item.type for item in made.output] == ["message", "function_call"]
    messages = worker.jobs[again.id.removeprefix("resp_")].messages
    assert [(message.role, message.content) for message in messages] == [
        ("user", "Weather?"),
        ("assistant", "Let me see."),
        ("tool", "sun"),
    ]


def test_input_items_are_listed_in_pages_that_may_end_inside_a_message(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    call: Any = {"type": "function_call", "name": "weather", "arguments": "{}"}
    made = openai_client.responses.create(
        model=MODEL,
        input=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "A"}, {"type": "input_text", "text": "B"}]},
            {"role": "assistant", "content": "Let me see."},
            {**call, "call_id": "a"},
            {**call, "call_id": "b"},
            {"type": "function_call_output", "call_id": "a", "output": "sun"},
            {"type": "function_call_output", "call_id": "b", "output": "rain"},
        ],
    )

    whole = openai_client.responses.input_items.list(made.id, order="asc").data
    paged = [item.id for item in openai_client.responses.input_items.list(made.id, order="asc", limit=2)]
    newest_first = [item.id for item in openai_client.responses.input_items.list(made.id, limit=3)]

    kinds = ["message", "message", "message", "function_call", "function_call", *["function_call_output"] * 2]
    assert [item.type for item in whole] == kinds
    assert paged == [item.id for item in whole]
    assert newest_first == paged[::-1]
    assert [part.text for part in whole[1].content] == ["A", "B"]
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.input_items.list(made.id, after="fc_nothing")


def test_the_same_idempotency_key_finds_the_same_response(
    openai_client: openai.OpenAI, http: httpx.Client, worker: ScriptedWorker
) -> None:
    body, headers = {"model": MODEL, "input": "Hi"}, {"Idempotency-Key": uuid4().hex}

    first, second = (http.post("/v1/responses", json=body, headers=headers) for _ in range(2))
    other = http.post("/v1/responses", json={**body, "input": "Ho"}, headers=headers)

    assert first.json()["id"] == second.json()["id"]
    assert first.json() == second.json()
    assert "x-session-id" not in {**first.headers, **second.headers}
    assert other.status_code == 422


def test_a_finished_response_answers_its_key_again_when_its_log_is_gone(
    http: httpx.Client, worker: ScriptedWorker, redis_url: str
) -> None:
    body, headers = {"model": MODEL, "input": "Hi"}, {"Idempotency-Key": uuid4().hex}
    first = http.post("/v1/responses", json=body, headers=headers)
    forget_log(redis_url, first.json()["id"])

    again = http.post("/v1/responses", json=body, headers=headers)
    streaming = http.post("/v1/responses", json={**body, "stream": True}, headers=headers)

    assert again.status_code == 200, again.text
    assert again.json()["output"] == first.json()["output"]
    assert streaming.status_code == 422


def test_a_stream_whose_log_is_gone_is_told_again_from_what_is_stored(
    http: httpx.Client, worker: ScriptedWorker, redis_url: str
) -> None:
    worker.texts = ['Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>']
    live = streamed(http, tools=[WEATHER], max_output_tokens=16)
    path = f"/v1/responses/{live[0].data['response']['id']}"
    forget_log(redis_url, live[0].data["response"]["id"])

    with http.stream("GET", path, params={"stream": True}) as response:
        again = events_of(response)
    gone = http.get(path, params={"stream": True, "starting_after": 3})

    assert [frame.event for frame in again] == [frame.event for frame in live]
    assert again[-1].data["response"]["output"] == live[-1].data["response"]["output"]
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "job_expired")


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
