"""The assistant message that a job's text makes."""

from collections.abc import Collection, Sequence

from shared.bodies.messages import Message
from shared.events import FinalEvent, TokensEvent
from shared.tool_calls import read_answer


def text_of(events: Sequence[TokensEvent | FinalEvent]) -> str:
    """The text that the events make together, as Postgres can hold it."""
    pieces = ("".join(event.texts) if isinstance(event, TokensEvent) else event.text for event in events)
    return "".join(pieces).replace("\x00", "\ufffd")


def reply_of(text: str, tool_names: Collection[str], job_id: str) -> Message:
    """The reply as it is stored; its calls have the ids that the gateway has shown, for they come from the job's."""
    if tool_names:
        found = read_answer(text, tool_names, job_id)
        if found.calls and all(_can_be_stored(call.function.arguments) for call in found.calls):
            return Message(role="assistant", content=found.content, tool_calls=tuple(found.calls))
    return Message(role="assistant", content=text)


def ending_of(reply: Message, finish_reason: str) -> str:
    """Why the reply ended, as OpenAI says it: a model that stops after calls has stopped for them."""
    return "tool_calls" if reply.tool_calls and finish_reason == "stop" else finish_reason


def _can_be_stored(text: str) -> bool:
    """Half a surrogate pair, which JSON's escapes can make, is no text to Postgres."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
