"""Answers as the OpenAPI page shows them, by an example."""

from typing import Any

from pydantic import BaseModel


def answers(
    example: dict[str, Any], *, model: type[BaseModel] | None = None, stream: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """For `responses` of a route: the whole answer, with its schema's `model`, and what a stream has of it."""
    content: dict[str, Any] = {"application/json": {"example": example}}
    if stream is not None:
        content["text/event-stream"] = {"example": stream}
    return {200: {"content": content, **({} if model is None else {"model": model})}}


def listed(row: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's list with one row."""
    return {"object": "list", "data": [row], "first_id": row["id"], "last_id": row["id"], "has_more": False}
