"""The response object: what its request said, and how far it has got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import orjson

from gateway.ask import Ask
from gateway.responses.identifiers import created_at, response_id
from shared.bodies.stored_turns import TurnBody
from shared.bodies.turns import Truncation, TurnUsage
from shared.events import Usage

Status = Literal["queued", "in_progress", "completed", "incomplete", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Described:
    """A response without its outcome. `request` is what CreateResponseBody.described() has made."""

    turn_id: str
    model: str
    request: Mapping[str, Any]
    metadata: Mapping[str, str]
    truncation: Truncation | None = None

    @classmethod
    def of_ask(cls, turn_id: str, ask: Ask, truncation: Truncation | None) -> Self:
        request = ask.turn.request if ask.turn is not None else None
        metadata = ask.turn.metadata if ask.turn is not None else None
        return cls(turn_id, ask.model, request or {}, metadata or {}, truncation)

    @classmethod
    def of_turn(cls, turn: TurnBody) -> Self:
        return cls(turn.id, turn.model, turn.request or {}, turn.metadata, turn.truncation)

    @classmethod
    def unknown(cls, turn_id: str, model: str) -> Self:
        """One that was not stored, told by who did not see its request: what OpenAI's clients need is the usual."""
        usual = {"parallel_tool_calls": True, "store": False, "tool_choice": "auto", "tools": []}
        return cls(turn_id, model, usual, {})

    @property
    def id(self) -> str:
        return response_id(self.turn_id)

    @property
    def is_background(self) -> bool:
        return self.request.get("background") is True

    def document(
        self,
        status: Status,
        *,
        output: Sequence[Mapping[str, Any]] = (),
        usage: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """OpenAI's object. It is the same to the byte whoever tells it, from the job's log or from Postgres."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": created_at(self.turn_id),
            "status": status,
            "error": error,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "model": self.model,
            "output": list(output),
            "usage": usage,
            "metadata": dict(sorted(self.metadata.items())),
            **_in_order(self.request),
            **self._extras(extras or {}),
        }

    def _extras(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Drover's own additions, under one name; nothing when there is nothing to say."""
        said = dict(more)
        if self.truncation is not None and self.truncation.dropped_messages:
            said["truncation"] = self.truncation.model_dump()
        return {"drover": said} if said else {}


def usage_of(usage: Usage | TurnUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def error_of(error: Mapping[str, Any] | None) -> dict[str, Any]:
    """OpenAI's clients know few codes of failed responses; ours stands under `type`."""
    described = error or {}
    message = described.get("message") or "The response failed."
    return {"code": "server_error", "message": message, "type": described.get("code") or "server_error"}


def _in_order(request: Mapping[str, Any]) -> dict[str, Any]:
    """Postgres keeps objects in an order of its own."""
    in_order: dict[str, Any] = orjson.loads(orjson.dumps(dict(request), option=orjson.OPT_SORT_KEYS))
    return in_order
