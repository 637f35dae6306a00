"""LangChain on OpenAI's API."""

import os

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

where = {"base_url": os.environ["BASE_URL"] + "/v1", "api_key": os.environ["API_KEY"]}
model = ChatOpenAI(model="drover-tiny", temperature=0, max_retries=0, **where)

answer = model.invoke([SystemMessage("You are helpful."), HumanMessage("What is the capital of France?")])
assert "Paris" in answer.content, answer
assert answer.usage_metadata["output_tokens"] > 0
assert "".join(chunk.content for chunk in model.stream("What is the capital of France?")).find("Paris") >= 0


@tool
def add(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


asked = model.bind_tools([add], tool_choice="add").invoke("How much is 2 and 3?")
assert asked.tool_calls[0]["name"] == "add", asked
assert isinstance(asked.tool_calls[0]["args"]["first"], int)
results = [ToolMessage("5", tool_call_id=call["id"]) for call in asked.tool_calls]
model.invoke([HumanMessage("How much is 2 and 3?"), asked, *results])


class City(BaseModel):
    name: str


for method in ("json_schema", "function_calling"):
    city = model.with_structured_output(City, method=method).invoke("Name a city.")
    assert isinstance(city, City), (method, city)

responses = ChatOpenAI(model="drover-tiny", temperature=0, use_responses_api=True, **where)
assert "Paris" in str(responses.invoke("What is the capital of France?").content)

vectors = OpenAIEmbeddings(model="all-minilm-l6-v2", check_embedding_ctx_length=False, **where)
assert len(vectors.embed_documents(["a cat", "a dog"])) == 2
