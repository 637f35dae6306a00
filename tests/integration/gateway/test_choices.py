"""Several choices, logprobs and tiers, through OpenAI's own client."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.sse_reader import frames

HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
TEXT = "Hello wörld!"


@pytest.fixture
def client(gateway: str, api_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0) as made:
        yield made


def test_several_choices_come_whole(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.held_text = "?"

    answer = client.chat.completions.create(**HELLO, n=3)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.message.content for choice in answer.choices} == {TEXT + "?"}
    assert {choice.finish_reason for choice in answer.choices} == {"stop"}
    assert next(iter(worker.jobs.values())).n == 3


def test_several_choices_stream_with_their_index_and_one_finish_each(
    client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    texts, ends = {0: "", 1: ""}, []
    for chunk in client.chat.completions.create(**HELLO, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            ends += [choice.index] if choice.finish_reason else []

    assert texts == {0: TEXT, 1: TEXT}
    assert ends == [0, 1]


@pytest.mark.parametrize("after", range(12))
def test_a_stream_of_several_choices_goes_on_from_any_token(
    http: httpx.Client, worker: ScriptedWorker, after: int
) -> None:
    worker.held_text = "?"
    job_id = http.post("/v1/chat/completions", json={**HELLO, "n": 2}).headers["x-job-id"]
    with http.stream("GET", f"/v1/jobs/{job_id}/stream") as response:
        whole = list(frames(response))

    with http.stream("GET", f"/v1/jobs/{job_id}/stream", headers={"Last-Event-ID": str(after)}) as response:
        rest = list(frames(response))

    def told(read: list[Any]) -> list[tuple[int | None, int, str]]:
        choices = [(frame.id, frame.data["choices"][0]) for frame in read if frame.data != "[DONE]"]
        return [(seq, c["index"], c["delta"]["content"]) for seq, c in choices if c["delta"].get("content")]

    assert told(rest) == [row for row in told(whole) if row[0] is None or row[0] > after]


def test_logprobs_have_openais_shape_whole_and_streamed(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    whole = client.chat.completions.create(**HELLO, logprobs=True, top_logprobs=2)
    chunks = list(client.chat.completions.create(**HELLO, logprobs=True, top_logprobs=2, stream=True))

    assert whole.choices[0].logprobs is not None
    content = whole.choices[0].logprobs.content or []
    assert [place.token for place in content] == ["Hel", "lo", "", " wörld", "!"]
    assert content[3].bytes == list(" wörld".encode())
    assert [top.logprob for top in content[0].top_logprobs] == [-1.0, -2.0]
    streamed = [
        place
        for chunk in chunks
        for choice in chunk.choices
        if choice.logprobs
        for place in choice.logprobs.content or []
    ]
    assert streamed == content


def test_without_being_asked_for_there_are_no_logprobs(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    assert client.chat.completions.create(**HELLO).choices[0].logprobs is None


@pytest.mark.parametrize(("tier", "priority", "told"), [("flex", "batch", "flex"), ("auto", "interactive", "default")])
def test_the_tier_is_the_jobs_priority_and_told_in_the_answer(
    client: openai.OpenAI, worker: ScriptedWorker, tier: Any, priority: str, told: str
) -> None:
    whole = client.chat.completions.create(**HELLO, service_tier=tier)
    chunks = list(client.chat.completions.create(**HELLO, service_tier=tier, stream=True))

    assert {job.priority for job in worker.jobs.values()} == {priority}
    assert {whole.service_tier, *(chunk.service_tier for chunk in chunks)} == {told}


def test_a_schema_reaches_the_worker(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}}

    client.chat.completions.create(**HELLO, response_format=wanted)

    constraint = next(iter(worker.jobs.values())).constraint
    assert constraint is not None
    assert constraint.kind == "json_schema"
    assert "city" in constraint.source
