"""LiteLLM's client."""

import os

import litellm

where = {"api_base": os.environ["BASE_URL"] + "/v1", "api_key": os.environ["API_KEY"]}
messages = [{"role": "user", "content": "What is the capital of France?"}]

whole = litellm.completion(model="openai/drover-tiny", messages=messages, temperature=0, **where)
assert "Paris" in whole.choices[0].message.content, whole

stream = litellm.completion(model="openai/drover-tiny", messages=messages, temperature=0, stream=True, **where)
assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == whole.choices[0].message.content

text = litellm.text_completion(model="text-completion-openai/drover-tiny", prompt="Once upon", max_tokens=4, **where)
assert text.choices[0].text

vectors = litellm.embedding(model="openai/all-minilm-l6-v2", input=["a cat"], **where)
assert len(vectors.data[0]["embedding"]) == 384

anthropic = {"api_base": os.environ["BASE_URL"], "api_key": os.environ["API_KEY"]}
message = litellm.completion(
    model="anthropic/drover-tiny", messages=messages, temperature=0, max_tokens=40, **anthropic
)
assert "Paris" in message.choices[0].message.content, message
