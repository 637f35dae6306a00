"""What is known of one answer while its chunks come in: chat completions and raw completions alike."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from cli.client.errors import ApiError
from cli.client.sse import Event


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of one choice."""

    text: str
    choice: int = 0


@dataclass
class Answer:
    """Texts and finish reasons by choice; `seconds_*` count from the request. `usage` is {} until the end."""

    job_id: str = ""
    last_event_id: str = ""
    texts: dict[int, str] = field(default_factory=dict)
    finish_reasons: dict[int, str] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    truncation: dict[str, int] = field(default_factory=dict)
    seconds_to_first_text: float = 0.0
    seconds_to_last_text: float = 0.0
    is_over: bool = False
    is_cancelled: bool = False
    _begun: float = field(default_factory=time.monotonic, repr=False)

    @property
    def text(self) -> str:
        return self.texts.get(0, "")

    @property
    def finish_reason(self) -> str:
        """Of the first choice; OpenAI has no word for a cancelled one, the command line does."""
        return "cancelled" if self.is_cancelled else self.finish_reasons.get(0, "")

    def read(self, event: Event) -> list[Piece]:
        """Take one event in; answers its texts. Raises ApiError for an error event."""
        self.last_event_id = event.id or self.last_event_id
        if event.data == "[DONE]":
            self.is_over = True
            return []
        try:
            chunk = json.loads(event.data)
            told = chunk.get("error")
        except (ValueError, AttributeError) as error:
            raise ApiError("The stream has an event that is none of Drover's: look at --url.") from error
        if told:
            self.is_over = True
            raise ApiError(told["message"], code=told.get("code"), job_id=self.job_id)
        self._learn(chunk)
        return [piece for choice in chunk.get("choices", []) if (piece := self._piece(choice))]

    def _learn(self, chunk: dict[str, Any]) -> None:
        self.usage = chunk.get("usage") or self.usage
        extras = chunk.get("drover") or {}
        self.truncation = extras.get("truncation") or self.truncation
        self.is_cancelled = self.is_cancelled or bool(extras.get("cancelled"))

    def _piece(self, choice: dict[str, Any]) -> Piece | None:
        index = choice["index"]
        text = (choice["delta"].get("content") if "delta" in choice else choice["text"]) or ""
        self.texts[index] = self.texts.get(index, "") + text
        if reason := choice.get("finish_reason"):
            self.finish_reasons[index] = reason
        if not text:
            return None
        self.seconds_to_last_text = time.monotonic() - self._begun
        self.seconds_to_first_text = self.seconds_to_first_text or self.seconds_to_last_text
        return Piece(text, index)
