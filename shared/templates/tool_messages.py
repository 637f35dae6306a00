"""Messages as chat templates want them, with the tools' part in the template's own terms or as plain text."""

import json
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from shared.bodies.messages import Message, ToolCall
from shared.bodies.tools import Tool
from shared.tool_calls import instructions


def with_tools(messages: Sequence[Message], tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """For a template that knows tools: calls and their ids as they are, arguments parsed as templates expect them."""
    return [_with_calls(message, str) for message in messages]


def with_short_ids(messages: Sequence[Message], tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The same for Mistral's templates, which refuse an id that has not nine letters and digits."""
    return [_with_calls(message, _short) for message in messages]


def as_plain_text(messages: Sequence[Message], tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """For a template that knows none: a system message describes the tools, calls and results become text."""
    shown: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        fields = _as_text(message)
        if message.role == "tool" and index and messages[index - 1].role == "tool":  # results of parallel calls
            shown[-1]["content"] += f"\n{fields['content']}"
        else:
            shown.append(fields)
    if not tools:
        return shown
    if shown and shown[0]["role"] == "system":
        first = {**shown[0], "content": f"{shown[0]['content']}\n\n{instructions(tools)}".lstrip()}
        return [first, *shown[1:]]
    return [{"role": "system", "content": instructions(tools)}, *shown]


def _fields(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "role": "system" if message.role == "developer" else message.role,
        "content": message.content,
    }
    if message.name is not None:
        fields["name"] = message.name
    return fields


def _short(call_id: str) -> str:
    return call_id if re.fullmatch("[a-zA-Z0-9]{9}", call_id) else sha256(call_id.encode()).hexdigest()[:9]


def _with_calls(message: Message, id_of: Callable[[str], str]) -> dict[str, Any]:
    fields = _fields(message)
    if message.tool_calls:
        fields["tool_calls"] = [
            {
                "id": id_of(call.id),
                "type": "function",
                "function": {"name": call.function.name, "arguments": _parsed(call)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = id_of(message.tool_call_id)
    return fields


def _as_text(message: Message) -> dict[str, Any]:
    fields = _fields(message)
    if message.role == "tool":
        return {"role": "user", "content": f"<tool_response>\n{message.content}\n</tool_response>"}
    if message.tool_calls:
        written = [
            "<tool_call>\n"
            + json.dumps({"name": call.function.name, "arguments": _parsed(call)}, ensure_ascii=False)
            + "\n</tool_call>"
            for call in message.tool_calls
        ]
        fields["content"] = "\n".join([*([message.content] if message.content else []), *written])
    return fields


def _parsed(call: ToolCall) -> Any:
    """The arguments as an object; as the text that they are when they are no JSON."""
    try:
        return json.loads(call.function.arguments)
    except (ValueError, RecursionError):
        return call.function.arguments
