"""/v1/responses with OpenAI's own client, a real session service and a scripted worker."""

import time

import httpx
import openai
import pytest
from openai.types.responses import Response

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.response_reader import MODEL, TEXT, streamed
from tests.integration.gateway.sse_reader import frames


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

    assert (made.output_text, made.to_dict()["store"]) == (TEXT, False)
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
