"""Pydantic AI: agents with tools and typed results."""

import os

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["API_KEY"])
settings = {"temperature": 0, "max_tokens": 120}

for model in (
    OpenAIChatModel("drover-tiny", provider=provider),
    OpenAIResponsesModel("drover-tiny", provider=provider),
):
    plain = Agent(model, model_settings=settings).run_sync("What is the capital of France?")
    assert "Paris" in plain.output, plain


class City(BaseModel):
    name: str


chat = OpenAIChatModel("drover-tiny", provider=provider)
typed = Agent(chat, output_type=City, model_settings=settings, retries=3).run_sync("Name a city.")
assert isinstance(typed.output, City), typed
assert typed.usage.output_tokens > 0
