"""Reads a response's stream as OpenAI's client does, and makes its log expire."""

from typing import Any

import httpx
import redis
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.integration.gateway.sse_reader import Frame, frames
from tests.integration.gateway.waiting import until

MODEL = "drover-tiny"
TEXT = "Hello wörld!"
"""What the scripted worker answers."""

WEATHER: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def events_of(response: httpx.Response) -> list[Frame]:
    """Every event, each as OpenAI's own model of it has it."""
    assert response.status_code == 200, response.read()
    read = list(frames(response))
    for frame in read:
        EVENTS.validate_python(frame.data)
        assert (frame.id, frame.event) == (frame.data["sequence_number"], frame.data["type"])
    return read


def streamed(http: httpx.Client, **body: Any) -> list[Frame]:
    """A response from its first event to its last."""
    with http.stream("POST", "/v1/responses", json={"model": MODEL, "input": "Hi", "stream": True, **body}) as response:
        return events_of(response)


def forget_log(redis_url: str, response_id: str) -> None:
    """What two minutes do to a job that has ended, once it is stored."""
    key = f"tok:{response_id.removeprefix('resp_')}"
    with redis.Redis.from_url(redis_url) as server:
        until(lambda: server.ttl(key) > 0)
        server.delete(key)
