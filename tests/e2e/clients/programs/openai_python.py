"""OpenAI's client for Python, as a user of it writes."""

import asyncio
import json
import os

import openai
from pydantic import BaseModel

MODEL = "drover-tiny"
HELLO = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]},
    },
}
client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["API_KEY"], max_retries=0)

whole = client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0)
assert "Paris" in whole.choices[0].message.content, whole

pieces, usage = [], None
for chunk in client.chat.completions.create(
    model=MODEL, messages=HELLO, temperature=0, stream=True, stream_options={"include_usage": True}
):
    pieces += [choice.delta.content or "" for choice in chunk.choices]
    usage = chunk.usage or usage
assert "".join(pieces) == whole.choices[0].message.content
assert usage.model_dump() | {"prompt_tokens_details": None} == whole.usage.model_dump() | {
    "prompt_tokens_details": None
}


class City(BaseModel):
    name: str
    is_capital: bool


parsed = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=City, max_tokens=120, temperature=0)
assert isinstance(parsed.choices[0].message.parsed, City), parsed

called = client.chat.completions.create(
    model=MODEL, messages=HELLO, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False
)
calls = called.choices[0].message.tool_calls
assert called.choices[0].finish_reason == "tool_calls"
assert json.loads(calls[0].function.arguments)["city"] in ("Rome", "Oslo")
answered = client.chat.completions.create(
    model=MODEL,
    tools=[WEATHER],
    messages=[
        *HELLO,
        called.choices[0].message,
        *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls),
    ],
)
assert answered.choices[0].finish_reason in ("stop", "length", "tool_calls")

with client.chat.completions.stream(
    model=MODEL, messages=HELLO, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False
) as stream:
    for _event in stream:
        pass
    assert stream.get_final_completion().choices[0].message.tool_calls[0].function.name == "weather"

text = client.completions.create(model=MODEL, prompt=["Once upon", "There was"], max_tokens=4, echo=True, logprobs=2)
assert [choice.text[:4] for choice in text.choices] == ["Once", "Ther"]
assert len(text.choices[0].logprobs.tokens) == len(text.choices[0].logprobs.text_offset)

response = client.responses.create(model=MODEL, input="My name is Anna.", temperature=0)
second = client.responses.create(model=MODEL, input="What is my name?", previous_response_id=response.id, temperature=0)
assert "Anna" in second.output_text, second.output_text
kinds = [event.type for event in client.responses.create(model=MODEL, input="Hello", stream=True)]
assert (kinds[0], kinds[-1]) == ("response.created", "response.completed"), kinds

vectors = client.embeddings.create(model="all-minilm-l6-v2", input=["a cat", "a dog"])
assert len(vectors.data) == 2
assert len(vectors.data[0].embedding) == 384
assert MODEL in [model.id for model in client.models.list()]
assert client.models.retrieve(MODEL).id == MODEL


def refusal(**fields: object) -> openai.APIStatusError | None:
    try:
        client.chat.completions.create(**{"model": MODEL, "messages": HELLO, **fields})
    except openai.APIStatusError as error:
        return error
    return None


no_model, no_temperature = refusal(model="none"), refusal(temperature=9)
assert (type(no_model), no_model.code) == (openai.NotFoundError, "model_not_found")
assert (type(no_temperature), no_temperature.param) == (openai.BadRequestError, "temperature")


async def side_by_side() -> list[str]:
    async with openai.AsyncOpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["API_KEY"]) as many:
        asked = [many.chat.completions.create(model=MODEL, messages=HELLO, temperature=0) for _ in range(8)]
        return [answer.choices[0].message.content for answer in await asyncio.gather(*asked)]


assert all("Paris" in answer for answer in asyncio.run(side_by_side()))
