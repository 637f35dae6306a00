"""Items as callers see them: of an answer, and of stored messages."""

from collections.abc import Sequence
from typing import Any, Literal

from gateway.responses.identifiers import call_item_id, output_item_id
from shared.bodies.messages import FunctionCall, TextPart
from shared.bodies.stored_messages import StoredMessageBody

ItemStatus = Literal["in_progress", "completed", "incomplete"]


def output_text(text: str, logprobs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(logprobs)}


def message_item(
    item_id: str, content: Sequence[dict[str, Any]], status: ItemStatus, role: str = "assistant"
) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "status": status, "role": role, "content": list(content)}


def call_item(item_id: str, call_id: str, function: FunctionCall, status: ItemStatus) -> dict[str, Any]:
    """A function call."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": function.name,
        "arguments": carried(function.arguments),
    }


def carried(arguments: str) -> str:
    """Half a surrogate pair, which the model's JSON can make, is no text that our JSON could carry."""
    return arguments.encode(errors="surrogatepass").decode(errors="replace")


def items_of(message: StoredMessageBody) -> list[dict[str, Any]]:
    """The items of a stored message: one, but for an assistant's text with calls, and for several calls."""
    if message.role == "tool":
        return [_call_output(message)]
    calls = [
        call_item(call_item_id(message.id, index), call.id, call.function, message.status)
        for index, call in enumerate(message.tool_calls or ())
    ]
    if calls and not message.content:
        return calls
    if message.role == "assistant":
        content = [output_text(text) for text in _texts(message.content)]
        return [message_item(message.id, content, message.status), *calls]
    given = [{"type": "input_text", "text": text} for text in _texts(message.content)]
    return [message_item(message.id, given, "completed", message.role)]


def text_of(message: StoredMessageBody) -> str:
    return "".join(_texts(message.content))


def _call_output(message: StoredMessageBody) -> dict[str, Any]:
    output = message.content
    return {
        "id": output_item_id(message.id),
        "type": "function_call_output",
        "status": "completed",
        "call_id": message.tool_call_id or "",
        "output": [{"type": "input_text", "text": part.text} for part in output]
        if isinstance(output, list)
        else output or "",
    }


def _texts(content: str | list[TextPart] | None) -> list[str]:
    if isinstance(content, list):
        return [part.text for part in content]
    return [content or ""]
