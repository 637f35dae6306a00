"""Calls and other items of responses: out of an answer, back in, and listed."""

from typing import Any

import openai
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.response_reader import MODEL, WEATHER


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
