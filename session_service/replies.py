"""The assistant message that a job's text makes."""

from collections.abc import Sequence
from typing import Protocol

from shared.bodies.messages import Message
from shared.events import FinalEvent, TokensEvent


class ToolCallParser(Protocol):
    """Finds the tool calls in the text of an answer that ended for them.

    Called again for the same job it must give the same ids, and the gateway, which has shown them to the caller, must
    have had the same: they can only come from the job's id. Raises ValueError for a text that holds no calls.
    """

    def __call__(self, text: str, *, model: str, job_id: str) -> Message: ...


def text_of(events: Sequence[TokensEvent | FinalEvent]) -> str:
    """The text that the events make together, as Postgres can hold it."""
    pieces = ("".join(event.texts) if isinstance(event, TokensEvent) else event.text for event in events)
    return "".join(pieces).replace("\x00", "\ufffd")


def reply_of(
    text: str, finish_reason: str, *, model: str, job_id: str, parse_tool_calls: ToolCallParser | None
) -> Message:
    """The reply as it is stored. Where no calls can be read, the text is kept as the model wrote it."""
    if finish_reason == "tool_calls" and parse_tool_calls is not None:
        try:
            return parse_tool_calls(text, model=model, job_id=job_id)
        except ValueError:
            pass
    return Message(role="assistant", content=text)
