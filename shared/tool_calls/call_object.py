"""One call's JSON object: what its beginning tells, and the call that a whole one is."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from shared.bodies.messages import FunctionCall

_KEYS = ("name", "type", "id", "arguments", "parameters", "function")
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]*)"')
_NAME = re.compile(r'\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"([^"\\]*)"')
_ARGUMENTS = re.compile(r'\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\S)')


@dataclass(frozen=True, slots=True)
class Head:
    """A call whose arguments, an object, begin at `arguments_at`."""

    name: str
    arguments_at: int


def judge(text: str, names: Collection[str]) -> Head | Literal["call", "text", "unknown"]:
    """What an object is that begins `text` and has perhaps not ended: its head, or what it may be.

    call: possibly one, but only the whole object tells. text: certainly none. unknown: more must come.
    """
    key = _FIRST_KEY.match(text)
    if key is None:
        return "unknown"
    if key[1] not in _KEYS:
        return "text"
    name = _NAME.match(text)
    if name is None:
        return "call"
    if name[1] not in names:
        return "text"
    arguments = _ARGUMENTS.match(text, name.end())
    if arguments is None:
        return "call"
    return Head(name[1], arguments.end()) if text[arguments.end()] == "{" else "call"


def whole_call(written: str, names: Collection[str]) -> FunctionCall | None:
    """The call that an object is, None if it is none."""
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    return _call(value, names)


def _call(value: Any, names: Collection[str]) -> FunctionCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or value["name"] not in names:
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return FunctionCall(name=value["name"], arguments=arguments)
