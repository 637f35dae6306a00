"""OpenAI's ids for what Drover stores: a response is a turn, a conversation a session, an item a part of a message."""

import re

_TURN = re.compile(r"resp_([0-9a-f]{32})")
_SESSION = re.compile(r"conv_([0-9a-f]{32})")
_ITEM = re.compile(r"(?:msg|fc|fco)_([0-9a-f]{32})(?:_[0-9]{1,4})?")
_TIME_DIGITS = 12


def response_id(turn_id: str) -> str:
    return f"resp_{turn_id}"


def turn_id_of(response: str) -> str | None:
    """None for what was never a response's id."""
    found = _TURN.fullmatch(response)
    return found[1] if found else None


def created_at(turn_id: str) -> int:
    """When the turn began, in seconds since the epoch: its id is a UUIDv7, so every gateway tells the same time."""
    return int(turn_id[:_TIME_DIGITS], 16) // 1000


def conversation_id(session_id: str) -> str:
    return f"conv_{session_id.removeprefix('sess_')}"


def session_id_of(conversation: str) -> str | None:
    """None for what was never a conversation's id."""
    found = _SESSION.fullmatch(conversation)
    return f"sess_{found[1]}" if found else None


def call_item_id(message_id: str, index: int) -> str:
    """The item of a message's call number `index`."""
    return f"fc_{message_id.removeprefix('msg_')}_{index}"


def output_item_id(message_id: str) -> str:
    """The item of a tool's message."""
    return f"fco_{message_id.removeprefix('msg_')}"


def message_id_of(item: str) -> str | None:
    """The message that holds the item; None for what was never an item's id."""
    found = _ITEM.fullmatch(item)
    return f"msg_{found[1]}" if found else None
