"""/v1/conversations with OpenAI's own client: a conversation is a session."""

from typing import Any

import httpx
import openai
import pytest
from openai.types.conversations import ConversationItem
from pydantic import TypeAdapter

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions
from tests.integration.gateway.response_reader import MODEL, TEXT, WEATHER

ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)
TWO_CALLS = (
    'Let me see.<tool_call>{"name": "weather", "arguments": {}}</tool_call>'
    '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'
)


def texts_of(items: Any) -> list[str]:
    return [item.content[0].text for item in items]


def test_a_conversation_is_made_changed_and_deleted(openai_client: openai.OpenAI) -> None:
    made = openai_client.conversations.create(metadata={"topic": "names"})
    changed = openai_client.conversations.update(made.id, metadata={"topic": "pets"})

    assert (made.metadata, changed.metadata) == ({"topic": "names"}, {"topic": "pets"})
    assert openai_client.conversations.retrieve(made.id) == changed
    assert openai_client.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=made.id):
        openai_client.conversations.retrieve(made.id)


def test_it_can_be_made_without_a_body(http: httpx.Client) -> None:
    assert http.post("/v1/conversations").json()["object"] == "conversation"


def test_a_response_goes_on_from_the_conversation_and_its_items_come_into_it(
    openai_client: openai.OpenAI, http: httpx.Client, worker: ScriptedWorker
) -> None:
    conversation = openai_client.conversations.create(items=[{"role": "user", "content": "My name is Anna."}])
    one = openai_client.responses.create(model=MODEL, input="One", conversation=conversation.id)
    two = openai_client.responses.create(
        model=MODEL, input="Two", conversation={"id": conversation.id}, instructions="Be brief."
    )

    items = openai_client.conversations.items.list(conversation.id, order="asc").data
    assert texts_of(items) == ["My name is Anna.", "One", TEXT, "Two", TEXT]
    assert [item.id for item in items if getattr(item, "role", "") == "assistant"] == [
        one.output[0].id,
        two.output[0].id,
    ]
    assert two.conversation is not None
    assert two.conversation.id == conversation.id
    prompt = worker.jobs[two.id.removeprefix("resp_")].messages
    assert [message.content for message in prompt] == ["Be brief.", "My name is Anna.", "One", TEXT, "Two"]
    session = http.get(f"/v1/sessions/sess_{conversation.id.removeprefix('conv_')}/messages").json()["data"]
    assert [message["content"] for message in session] == texts_of(items)
    assert openai_client.responses.retrieve(one.id).output == one.output


def test_developer_messages_stay_where_they_were_said(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    conversation = openai_client.conversations.create()
    for order in ("Rhyme.", "Do not rhyme."):
        openai_client.responses.create(
            model=MODEL,
            input=[{"role": "developer", "content": order}, {"role": "user", "content": "Hi"}],
            conversation=conversation.id,
        )

    items = openai_client.conversations.items.list(conversation.id, order="asc").data

    assert texts_of(items) == ["Rhyme.", "Hi", TEXT, "Do not rhyme.", "Hi", TEXT]


def test_items_are_openais_and_paged_also_inside_a_message(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    worker.texts = [TWO_CALLS]
    conversation = openai_client.conversations.create()
    made = openai_client.responses.create(
        model=MODEL, input="Weather?", conversation=conversation.id, tools=[WEATHER], max_output_tokens=16
    )

    whole = openai_client.conversations.items.list(conversation.id, order="asc").data
    for order in ("asc", "desc"):
        for limit in (1, 2, 3):
            paged = openai_client.conversations.items.list(conversation.id, order=order, limit=limit)
            ids = [item.id for item in paged]
            assert ids == [item.id for item in (whole if order == "asc" else reversed(whole))]

    assert [item.type for item in whole] == ["message", "message", "function_call", "function_call"]
    assert [item.id for item in whole[1:]] == [item.id for item in made.output]
    for item in whole:
        ITEM.validate_python(item.to_dict())
        assert openai_client.conversations.items.retrieve(item.id, conversation_id=conversation.id) == item


def test_items_are_added_and_taken_out(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    conversation = openai_client.conversations.create()
    added = openai_client.conversations.items.create(
        conversation.id,
        items=[
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "One"}]},
            {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "sun"},
        ],
    )
    answered = openai_client.conversations.items.delete(added.data[0].id, conversation_id=conversation.id)

    left = openai_client.conversations.items.list(conversation.id, order="asc").data
    assert answered.id == conversation.id
    assert [item.id for item in left] == [item.id for item in added.data[1:]]
    with pytest.raises(openai.NotFoundError):
        openai_client.conversations.items.retrieve(added.data[0].id, conversation_id=conversation.id)


def test_a_part_of_a_message_cannot_be_taken_out_alone(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.texts = [TWO_CALLS]
    conversation = openai_client.conversations.create()
    made = openai_client.responses.create(
        model=MODEL, input="Weather?", conversation=conversation.id, tools=[WEATHER], max_output_tokens=16
    )

    with pytest.raises(openai.BadRequestError, match="part of one message"):
        openai_client.conversations.items.delete(str(made.output[1].id), conversation_id=conversation.id)


def test_one_response_at_a_time_is_in_a_conversation(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    conversation = openai_client.conversations.create()
    running = openai_client.responses.create(model=MODEL, input="One", conversation=conversation.id, background=True)

    with pytest.raises(openai.ConflictError):
        openai_client.responses.create(model=MODEL, input="Two", conversation=conversation.id)
    with pytest.raises(openai.ConflictError):
        openai_client.conversations.items.create(conversation.id, items=[{"role": "user", "content": "Two"}])
    openai_client.responses.cancel(running.id)
    worker.gate.set()

    assert openai_client.responses.create(model=MODEL, input="Two", conversation=conversation.id).output_text == TEXT


def test_a_deleted_response_leaves_its_items(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    conversation = openai_client.conversations.create()
    made = openai_client.responses.create(model=MODEL, input="One", conversation=conversation.id)

    openai_client.responses.delete(made.id)

    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(made.id)
    assert len(openai_client.conversations.items.list(conversation.id).data) == 2


def test_one_may_branch_off_from_a_response_of_a_conversation(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    conversation = openai_client.conversations.create()
    one = openai_client.responses.create(model=MODEL, input="One", conversation=conversation.id)

    branch = openai_client.responses.create(model=MODEL, input="Two", previous_response_id=one.id)

    prompt = worker.jobs[branch.id.removeprefix("resp_")].messages
    assert [message.content for message in prompt] == ["One", TEXT, "Two"]
    assert len(openai_client.conversations.items.list(conversation.id).data) == 2


def test_another_tenants_conversation_looks_like_a_missing_one(
    openai_client: openai.OpenAI, gateway: str, sessions: Sessions
) -> None:
    conversation = openai_client.conversations.create(items=[{"role": "user", "content": "Mine."}])
    item = openai_client.conversations.items.list(conversation.id).data[0].id
    headers = {"Authorization": f"Bearer {sessions.key(tenant='two')}"}

    with httpx.Client(base_url=gateway, headers=headers) as stranger:
        for conversation_id in (str(conversation.id), "conv_" + "0" * 32, "conv_none"):
            path = f"/v1/conversations/{conversation_id}"
            items = {"items": [{"role": "user", "content": "x"}]}
            answers = [
                stranger.get(path),
                stranger.post(path, json={"metadata": {}}),
                stranger.delete(path),
                stranger.get(f"{path}/items"),
                stranger.post(f"{path}/items", json=items),
                stranger.get(f"{path}/items/{item}"),
                stranger.delete(f"{path}/items/{item}"),
                stranger.post("/v1/responses", json={"model": MODEL, "input": "Hi", "conversation": conversation_id}),
            ]
            assert [answer.status_code for answer in answers] == [404] * len(answers)
            wanted = f"Conversation with id '{conversation_id}' not found."
            assert {answer.json()["error"]["message"] for answer in answers} == {wanted}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": [{"role": "user", "content": "x"}] * 21}, "items"),
        ({"items": [{"type": "item_reference", "id": "msg_1"}]}, "items.0"),
        ({"metadata": {"x": "y" * 600}}, "metadata.x"),
        ({"title": "A talk"}, "title"),
    ],
)
def test_what_no_conversation_can_be_is_refused(http: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = http.post("/v1/conversations", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
