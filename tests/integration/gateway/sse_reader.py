"""Reads a stream as a client does: frames with their ids, the text, the end."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Frame:
    """One event; `data` is "[DONE]" or the decoded JSON, of a comment its text."""

    id: int | None
    event: str
    data: Any


def frames(response: httpx.Response) -> Iterator[Frame]:
    """The events as they arrive, without comments. Leaves the response open when the caller stops reading."""
    return (frame for frame in frames_and_comments(response) if frame.event != "comment")


def frames_and_comments(response: httpx.Response) -> Iterator[Frame]:
    """The same with the comments."""
    seen_id: int | None = None
    event, data = "message", None
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            seen_id = int(value)
        elif name == "event":
            event = value
        elif name == "data":
            data = value if value == "[DONE]" else json.loads(value)
        elif line.startswith(":"):
            yield Frame(None, "comment", line[2:])
        elif line == "":
            if data is not None:
                yield Frame(seen_id, event, data)
            seen_id, event, data = None, "message", None


def text_of(read: list[Frame]) -> str:
    choices = [choice for frame in read if isinstance(frame.data, dict) for choice in frame.data.get("choices", ())]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def finish_of(read: list[Frame]) -> str | None:
    for frame in read:
        if isinstance(frame.data, dict):
            for choice in frame.data.get("choices", ()):
                if choice["finish_reason"]:
                    return str(choice["finish_reason"])
    return None
