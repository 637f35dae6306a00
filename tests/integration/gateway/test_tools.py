"""Tools through OpenAI's own client: what the job gets of them, and the calls in a scripted model's text."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.sse_reader import frames

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
ASKED: dict[str, Any] = {**HELLO, "tools": [WEATHER]}
TEXTS = ("<tool", "_call>", '{"name": "wea', 'ther", "arguments"', ': {"city": ', '"Rome"', "}}", "</tool_call>")


@pytest.fixture
def client(gateway: str, api_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0) as made:
        yield made


@pytest.fixture
def calling(worker: ScriptedWorker) -> ScriptedWorker:
    worker.texts = TEXTS
    return worker


def test_a_call_is_told_whole_and_streamed_alike(client: openai.OpenAI, calling: ScriptedWorker) -> None:
    whole = client.chat.completions.create(**ASKED)
    with client.chat.completions.stream(**ASKED, stream_options={"include_usage": True}) as stream:
        streamed = stream.get_final_completion()

    for answer in (whole, streamed):
        (call,) = answer.choices[0].message.tool_calls or []
        assert answer.choices[0].finish_reason == "tool_calls"
        assert not answer.choices[0].message.content
        assert call.id == f"call_{answer.id.removeprefix('chatcmpl-')}_0"
        assert call.type == "function"
        assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Rome"}')
    assert whole.usage == streamed.usage
    assert whole.choices[0].message.content is None


def test_the_job_gets_the_tools_and_the_choice(client: openai.OpenAI, calling: ScriptedWorker) -> None:
    named: Any = {"type": "function", "function": {"name": "weather"}}

    client.chat.completions.create(**ASKED, tool_choice=named, parallel_tool_calls=False)

    (job,) = calling.jobs.values()
    assert [tool.name for tool in job.tools] == ["weather"]
    assert (job.tool_choice.mode, job.tool_choice.name, job.parallel_tool_calls) == ("required", "weather", False)


def test_with_no_tool_to_call_the_text_is_text(client: openai.OpenAI, calling: ScriptedWorker) -> None:
    answer = client.chat.completions.create(**ASKED, tool_choice="none")

    assert answer.choices[0].message.content == "".join(TEXTS)
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream_of_calls_goes_on_from_any_token_with_the_same_bytes(
    http: httpx.Client, calling: ScriptedWorker
) -> None:
    calling.texts = ("Let ", "me see. ", *TEXTS)
    job_id = http.post("/v1/chat/completions", json=ASKED).headers["x-job-id"]
    with http.stream("GET", f"/v1/jobs/{job_id}/stream") as response:
        whole = list(frames(response))

    for after in sorted({frame.id for frame in whole if frame.id}):
        with http.stream("GET", f"/v1/jobs/{job_id}/stream", params={"starting_after": after}) as response:
            rest = list(frames(response))
        told = [frame for frame in whole if frame.data != "[DONE]" and frame.id is not None and frame.id > after]
        assert [frame for frame in rest if frame.data != "[DONE]" and frame.id != whole[-2].id] == [
            frame for frame in told if frame.id != whole[-2].id
        ]
        assert rest[-2:] == whole[-2:]


def test_the_same_idempotency_key_gives_the_same_calls(client: openai.OpenAI, calling: ScriptedWorker) -> None:
    first, again = (
        client.chat.completions.create(**ASKED, extra_headers={"Idempotency-Key": "tools-1"}) for _ in range(2)
    )

    assert first.choices == again.choices
    assert len(calling.jobs) == 1


def test_each_choice_has_ids_of_its_own(client: openai.OpenAI, calling: ScriptedWorker) -> None:
    answer = client.chat.completions.create(**ASKED, n=2)

    ids = [call.id for choice in answer.choices for call in choice.message.tool_calls or ()]
    assert len(set(ids)) == 2


def test_older_clients_get_a_function_call(http: httpx.Client, calling: ScriptedWorker) -> None:
    answer = http.post("/v1/chat/completions", json={**HELLO, "functions": [WEATHER["function"]]}).json()
    (job_id,) = calling.jobs
    with http.stream("GET", f"/v1/jobs/{job_id}/stream") as response:
        deltas = [frame.data["choices"][0]["delta"] for frame in frames(response) if frame.data != "[DONE]"]

    assert answer["choices"][0]["finish_reason"] == "function_call"
    assert answer["choices"][0]["message"]["function_call"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert [delta["function_call"]["name"] for delta in deltas if "name" in delta.get("function_call", {})] == [
        "weather"
    ]
    assert calling.jobs[job_id].parallel_tool_calls is False


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER], "grammar": 'root ::= "a"'}, "grammar"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
    ],
)
def test_what_is_wrong_is_a_400_that_names_it(http: httpx.Client, fields: dict[str, Any], param: str) -> None:
    refused = http.post("/v1/chat/completions", json={**HELLO, **fields})

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param
    assert refused.json()["error"]["type"] == "invalid_request_error"


@pytest.fixture
def roomy(redis_url: str) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(redis_url, model="roomy", texts=TEXTS).at_work() as working:
        yield working


def said(http: httpx.Client, session_id: str, message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The assistant's message to the next one of a session."""
    body = {"model": "roomy", "tools": [WEATHER], "session_id": session_id, "messages": [message], **fields}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()["choices"][0]["message"]
    return told


def test_a_session_keeps_calls_and_takes_their_results(http: httpx.Client, roomy: ScriptedWorker) -> None:
    session_id = http.post("/v1/sessions", json={}).json()["id"]
    (call,) = said(http, session_id, {"role": "user", "content": "How warm is it in Rome?"})["tool_calls"]
    roomy.texts = ("It is ", "warm.")

    told = said(http, session_id, {"role": "tool", "tool_call_id": call["id"], "content": "21 °C"})

    assert told["content"] == "It is warm."
    stored = http.get(f"/v1/sessions/{session_id}/messages").json()["data"]
    assert [message["role"] for message in stored] == ["user", "assistant", "tool", "assistant"]
    assert stored[1]["content"] is None
    assert stored[1]["tool_calls"] == [call]
    assert stored[1]["finish_reason"] == "tool_calls"
    assert stored[2]["tool_call_id"] == call["id"]
    job = list(roomy.jobs.values())[-1]
    assert [message.role for message in job.messages] == ["user", "assistant", "tool"]
    assert json.loads((job.messages[1].tool_calls or ())[0].function.arguments) == {"city": "Rome"}


def test_a_session_that_is_truncated_keeps_results_with_their_calls(http: httpx.Client, roomy: ScriptedWorker) -> None:
    session_id = http.post("/v1/sessions", json={}).json()["id"]
    for turn in range(6):
        roomy.texts = TEXTS
        question = {"role": "user", "content": f"{turn} " + "How warm is it there? " * 3}
        (call,) = said(http, session_id, question, max_tokens=3000)["tool_calls"]
        roomy.texts = ("Warm.",)
        result = {"role": "tool", "tool_call_id": call["id"], "content": "21 °C " * 5}
        said(http, session_id, result, max_tokens=3000)

    told = list(roomy.jobs.values())[-1].messages
    called = [call.id for message in told for call in message.tool_calls or ()]
    answered = [message.tool_call_id for message in told if message.role == "tool"]
    assert 0 < len(called) < 6
    assert answered == called


def test_where_no_tool_may_be_called_a_session_keeps_what_reads_like_a_call_as_the_text_that_was_told(
    http: httpx.Client, roomy: ScriptedWorker
) -> None:
    session_id = http.post("/v1/sessions", json={}).json()["id"]

    told = said(http, session_id, {"role": "user", "content": "How warm is it in Rome?"}, tool_choice="none")

    stored = http.get(f"/v1/sessions/{session_id}/messages").json()["data"][1]
    assert (stored["content"], stored["tool_calls"]) == (told["content"], None)
    assert told["content"] == "".join(TEXTS)
    assert stored["finish_reason"] == "stop"
