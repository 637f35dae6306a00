"""/v1/completions, through OpenAI's own client."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway
from tests.integration.gateway.sse_reader import frames
from tests.integration.gateway.waiting import until

URL = "/v1/completions"
ONCE: dict[str, Any] = {"model": "drover-tiny", "prompt": "Once"}
TEXT = "Hello wörld!"


@pytest.fixture
def client(gateway: str, api_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0) as made:
        yield made


def test_a_text_goes_on(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.held_text = "?"

    answer = client.completions.create(**ONCE, echo=True)

    assert answer.choices[0].text == TEXT + "?"
    assert answer.usage is not None
    job = next(iter(worker.jobs.values()))
    assert (job.prompt, job.messages, job.max_tokens, job.echo) == ("Once", (), 16, True)


def test_a_stream_says_the_same(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    usages, text = [], ""
    for chunk in client.completions.create(**ONCE, stream=True, stream_options={"include_usage": True}, logprobs=1):
        text += "".join(choice.text for choice in chunk.choices)
        usages += [chunk.usage] if chunk.usage else []

    assert text == TEXT
    assert [usage.total_tokens for usage in usages] == [12]


def test_several_prompts_are_answered_in_their_order(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    answer = client.completions.create(model="drover-tiny", prompt=["a", "b", "c"], n=2)

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3, 4, 5]
    assert {choice.text for choice in answer.choices} == {TEXT}
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3 * 7
    assert sorted(str(job.prompt) for job in worker.jobs.values()) == ["a", "b", "c"]


def test_several_prompts_stream_side_by_side(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    texts, ends, totals = {0: "", 1: ""}, [], []
    options: Any = {"include_usage": True}
    for chunk in client.completions.create(
        model="drover-tiny", prompt=[[1, 2], [3]], stream=True, stream_options=options
    ):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            ends += [choice.index] if choice.finish_reason else []
        totals += [chunk.usage.total_tokens] if chunk.usage else []

    assert texts == {0: TEXT, 1: TEXT}
    assert sorted(ends) == [0, 1]
    assert totals == [24]
    assert sorted(str(job.prompt) for job in worker.jobs.values()) == ["(1, 2)", "(3,)"]


def test_one_key_finds_all_the_prompts_jobs_again(http: httpx.Client, worker: ScriptedWorker) -> None:
    body = {"model": "drover-tiny", "prompt": ["a", "b"]}

    first, second = (http.post(URL, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))

    assert first.json()["choices"] == second.json()["choices"]
    assert first.headers["x-job-id"] == second.headers["x-job-id"]
    assert len(worker.jobs) == 2


def test_a_prompt_that_fails_ends_the_others(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "broken", "type": "server_error", "param": None, "code": "inference_failed"}

    plain = http.post(URL, json={"model": "drover-tiny", "prompt": ["a", "b"]})
    with http.stream("POST", URL, json={"model": "drover-tiny", "prompt": ["a", "b"], "stream": True}) as response:
        streamed = list(frames(response))

    assert plain.status_code == 500
    assert [frame.event for frame in streamed].count("error") == 1
    assert streamed[-1].event == "error"


def test_who_leaves_ends_every_prompts_job(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    body = {"model": "drover-tiny", "prompt": ["a", "b"], "stream": True}

    with http.stream("POST", URL, json=body) as response:
        ids = response.headers["x-job-id"].split(",")
        until(lambda: len(worker.jobs) == 2)

    states = lambda: {http.get(f"/v1/jobs/{job_id}").json()["is_cancel_wanted"] for job_id in ids}  # noqa: E731
    until(lambda: states() == {True})


def test_if_one_prompt_is_not_accepted_none_is_answered(
    start_gateway: StartGateway, sessions: Sessions, worker: ScriptedWorker
) -> None:
    worker.gate.clear()
    key = sessions.key(tenant="narrow", concurrent_jobs=1)
    with httpx.Client(base_url=start_gateway(), headers={"Authorization": f"Bearer {key}"}) as http:
        refused = http.post(URL, json={"model": "drover-tiny", "prompt": ["a", "b"]})

        assert refused.status_code == 429
        worker.gate.set()
        until(lambda: http.post(URL, json=ONCE).status_code == 200)


@pytest.mark.parametrize("after", range(8))
def test_a_stream_goes_on_in_its_own_form_on_any_gateway(
    http: httpx.Client, worker: ScriptedWorker, after: int
) -> None:
    worker.held_text = "?"
    job_id = http.post(URL, json={**ONCE, "logprobs": 0}).headers["x-job-id"]

    with http.stream("GET", f"/v1/jobs/{job_id}/stream", headers={"Last-Event-ID": str(after)}) as response:
        rest = [frame.data for frame in frames(response)]

    assert rest[-1] == "[DONE]"
    assert {chunk["object"] for chunk in rest[:-1]} == {"text_completion"}
    told = "".join(chunk["choices"][0]["text"] for chunk in rest[:-1])
    assert told == "".join([*worker.texts, "?"][after:])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": [[1], "a"]}, "prompt.1"),
        ({"prompt": ["a"] * 129}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"suffix": "x", "prompt": [1]}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"prompt": "the " * 600}, "prompt"),
        ({"prompt": [5] * 600}, "prompt"),
        ({"prompt": ["a"] * 100, "n": 2}, "prompt"),
        ({"model": "all-minilm-l6-v2"}, "model"),
    ],
)
def test_bad_input_is_a_400_that_names_the_field(http: httpx.Client, fields: dict[str, Any], param: str) -> None:
    answer = http.post(URL, json={**ONCE, **fields})

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
