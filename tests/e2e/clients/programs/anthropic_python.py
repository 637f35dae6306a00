"""Anthropic's client for Python."""

import json
import os

import anthropic

MODEL = "drover-tiny"
HELLO = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]},
}
GREEDY = {"temperature": 0}
client = anthropic.Anthropic(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)

whole = client.messages.create(model=MODEL, max_tokens=40, messages=HELLO, extra_body=GREEDY)
assert "Paris" in whole.content[0].text, whole
assert whole.stop_reason == "end_turn"

with client.messages.stream(model=MODEL, max_tokens=40, messages=HELLO, extra_body=GREEDY) as stream:
    assert "".join(stream.text_stream) == whole.content[0].text
    final = stream.get_final_message()
assert final.usage.output_tokens == whole.usage.output_tokens

count = client.messages.count_tokens(model=MODEL, messages=HELLO)
read = whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0)
assert count.input_tokens == read, (count, whole.usage)

called = client.messages.create(
    model=MODEL, max_tokens=80, messages=HELLO, tools=[WEATHER], tool_choice={"type": "tool", "name": "weather"}
)
assert called.stop_reason == "tool_use", called
use = next(block for block in called.content if block.type == "tool_use")
assert use.input["city"] in ("Rome", "Oslo")
result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}
client.messages.create(
    model=MODEL,
    max_tokens=40,
    tools=[WEATHER],
    messages=[*HELLO, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}],
)

with client.messages.stream(
    model=MODEL,
    max_tokens=80,
    messages=HELLO,
    tools=[WEATHER],
    tool_choice={"type": "any", "disable_parallel_tool_use": True},
) as stream:
    assert stream.get_final_message().content[-1].input["city"] in ("Rome", "Oslo")

stopped = client.messages.create(
    model=MODEL, max_tokens=40, messages=HELLO, extra_body=GREEDY, stop_sequences=["Paris"]
)
assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "Paris"), stopped
assert "Paris" not in stopped.content[0].text

city = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}, "required": ["name"]}
shaped = client.messages.create(
    model=MODEL,
    max_tokens=60,
    messages=HELLO,
    output_config={"format": {"type": "json_schema", "schema": {**city, "additionalProperties": False}}},
)
assert isinstance(json.loads(shaped.content[0].text)["name"], str)

try:
    client.messages.create(model="none", max_tokens=4, messages=HELLO)
    refusal = None
except anthropic.NotFoundError as error:
    refusal = error
assert refusal is not None
assert refusal.body["error"]["type"] == "not_found_error"
