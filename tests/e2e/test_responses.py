"""OpenAI's stateful API with OpenAI's own client, the real model and a gateway that dies."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.stack import Stack

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]},
    "strict": True,
}


@pytest.fixture
def elsewhere(stack: Stack) -> Iterator[openai.OpenAI]:
    """The same client at the other gateway."""
    with openai.OpenAI(base_url=f"{stack.gateways[1]}/v1", api_key=stack.api_key, max_retries=0) as made:
        yield made


def ended(client: openai.OpenAI, response_id: str) -> Response:
    end = time.monotonic() + 60
    while (read := client.responses.retrieve(response_id)).status in ("queued", "in_progress"):
        assert time.monotonic() < end, read.status
        time.sleep(0.05)
    return read


def test_the_model_recalls_over_a_chain_and_branches_stay_apart(client: openai.OpenAI, stack: Stack) -> None:
    anna = client.responses.create(model=stack.model, input="Hello, my name is Anna.", temperature=0)
    italy = client.responses.create(
        model=stack.model, input="What is the capital of Italy?", temperature=0, previous_response_id=anna.id
    )
    name = client.responses.create(
        model=stack.model, input="What is my name?", temperature=0, previous_response_id=italy.id
    )

    assert "Rome" in italy.output_text
    assert "Anna" in name.output_text
    Response.model_validate(name.to_dict())


def test_the_model_recalls_in_a_conversation(client: openai.OpenAI, elsewhere: openai.OpenAI, stack: Stack) -> None:
    conversation = client.conversations.create(metadata={"topic": "names"})
    for said in ("Hello, my name is Anna.", "What is my name?"):
        with client.responses.stream(
            model=stack.model, input=said, temperature=0, conversation=conversation.id
        ) as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()

    assert "Anna" in final.output_text
    assert "".join(deltas) == final.output_text
    items = elsewhere.conversations.items.list(conversation.id, order="asc").data
    assert [getattr(item, "role", None) for item in items] == ["user", "assistant"] * 2
    assert elsewhere.responses.retrieve(final.id).output_text == final.output_text


def test_a_schema_is_parsed_by_openais_client(client: openai.OpenAI, stack: Stack) -> None:
    class Sum(BaseModel):
        result: int

    parsed = client.responses.parse(model=stack.model, input="2 + 2", text_format=Sum, max_output_tokens=60)

    assert isinstance(parsed.output_parsed, Sum)


def test_a_required_tool_is_called_and_its_output_answered(client: openai.OpenAI, stack: Stack) -> None:
    with client.responses.stream(
        model=stack.model,
        input="Weather in Rome?",
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "weather"},
        max_output_tokens=80,
        truncation="auto",
    ) as stream:
        events = list(stream)
        made = stream.get_final_response()
    call = made.output[-1]
    assert call.type == "function_call"

    answered = client.responses.create(
        model=stack.model,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
        previous_response_id=made.id,
        max_output_tokens=20,
    )

    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(deltas) == call.arguments
    assert '"city"' in call.arguments
    assert answered.previous_response_id == made.id
    stored = client.responses.retrieve(made.id).output[-1]
    assert stored.type == "function_call"
    assert (stored.id, stored.call_id, stored.arguments) == (call.id, call.call_id, call.arguments)


def test_usage_is_the_same_streamed_and_plain(client: openai.OpenAI, stack: Stack) -> None:
    asked: Any = {"model": stack.model, "input": "Say hello.", "temperature": 0}
    plain = client.responses.create(**asked)
    last = list(client.responses.create(**asked, stream=True))[-1]

    assert last.type == "response.completed"
    assert plain.usage is not None
    assert last.response.usage is not None
    assert last.response.usage.output_tokens == plain.usage.output_tokens
    assert last.response.usage.input_tokens == plain.usage.input_tokens
    assert last.response.output_text == plain.output_text


def test_a_background_response_and_its_stream_outlive_the_gateway_that_took_it(
    client: openai.OpenAI, elsewhere: openai.OpenAI, stack: Stack
) -> None:
    seen: list[Any] = []
    with (
        contextlib.suppress(openai.APIError, httpx.HTTPError),  # whatever the transport raises when its peer dies
        client.responses.create(
            model=stack.model,
            input="Tell me a story.",
            background=True,
            stream=True,
            max_output_tokens=300,
            extra_body={"ignore_eos": True},
        ) as stream,
    ):
        for event in stream:
            seen.append(event)
            if len(seen) == 8:
                stack.kill("gateway")
    response_id = seen[0].response.id

    rest = list(elsewhere.responses.retrieve(response_id, stream=True, starting_after=seen[-1].sequence_number))
    done = ended(elsewhere, response_id)
    stack.wait_until_ready()

    events = seen + rest
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == done.output_text
    assert (done.status, done.usage and done.usage.output_tokens) == ("incomplete", 300)


def test_a_cancelled_background_response_frees_its_place(
    client: openai.OpenAI, elsewhere: openai.OpenAI, stack: Stack
) -> None:
    made = client.responses.create(
        model=stack.model,
        input="Tell me a story.",
        background=True,
        max_output_tokens=400,
        extra_body={"ignore_eos": True},
    )

    assert elsewhere.responses.cancel(made.id).status in ("cancelled", "incomplete")
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        elsewhere.responses.retrieve(made.id)
