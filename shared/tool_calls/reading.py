"""Reads tool calls out of an answer's text while the text arrives."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from shared.bodies.messages import FunctionCall, ToolCall
from shared.tool_calls.json_scan import JsonScan

OPENERS = ("<tool_call>", "[TOOL_CALLS]", "<|python_tag|>")
CLOSER = "</tool_call>"
MAX_CALLS = 128


@dataclass(slots=True)
class Found:
    """What a piece of text has brought: text that belongs to the answer, and calls that are now complete."""

    content: str = ""
    calls: list[ToolCall] = field(default_factory=list)


class ToolCallReader:
    """Splits an answer into text and calls, in whichever form the model writes them.

    `names` are the tools that the model has: JSON at the beginning of an answer is a call only if it names one of them.
    What turns out not to be a call is text after all, so nothing of the answer is lost. The calls' ids depend on the
    job, the choice and the order alone: a stream that is read again has the same ones.
    """

    def __init__(self, names: Collection[str], job_id: str, choice: int = 0):
        self._names = names
        self._prefix = f"call_{job_id}_{choice}_" if choice else f"call_{job_id}_"
        self._held = ""
        self._scan: JsonScan | None = None
        """Set inside a call: `_held` then begins with the call's opener, or with its JSON."""
        self._is_at_start = True
        self._count = 0

    @property
    def has_calls(self) -> bool:
        return self._count > 0

    def push(self, text: str) -> Found:
        """Take the next piece of the answer."""
        found = Found()
        self._held += text
        while self._step(found):
            pass
        return found

    def close(self) -> Found:
        """The answer has ended: what was held back is text."""
        found = Found()
        self._give(found, len(self._held))
        return found

    def _step(self, found: Found) -> bool:
        """One step on what is held; whether another one may follow."""
        if self._scan is None:
            return self._look_for_call(found)
        end = self._scan.advance(self._held)
        if end is None:
            return False
        calls = self._calls(self._held[self._scan.start : end])
        if not calls:  # JSON of another kind, or none at all: text
            self._give(found, end)
        else:
            found.calls += calls
            self._held = self._held[end:].lstrip().removeprefix(CLOSER)
        self._scan = None
        return True

    def _look_for_call(self, found: Found) -> bool:
        held = self._held.lstrip() if self._is_at_start or self._count else self._held
        if self._count:  # the white space between and after calls is nobody's
            held = held.removeprefix(CLOSER).lstrip()
            self._held = held
        if self._is_at_start and held.startswith("{"):
            self._begin(len(self._held) - len(held))
            return True
        starts = [place for opener in OPENERS if (place := self._held.find(opener)) >= 0]
        if starts:
            place = min(starts)
            opener = next(opener for opener in OPENERS if self._held.startswith(opener, place))
            self._give(found, place)
            self._begin(len(opener))
            return True
        markers = (*OPENERS, CLOSER) if self._count else OPENERS
        self._give(found, len(self._held) - _possible_marker(self._held, markers))
        return False

    def _begin(self, skip: int) -> None:
        self._scan = JsonScan(skip)
        self._is_at_start = False

    def _give(self, found: Found, length: int) -> None:
        """The first `length` characters are text."""
        given = self._held[:length]
        self._held = self._held[length:]
        found.content += given
        if given.strip():
            self._is_at_start = False

    def _calls(self, written: str) -> list[ToolCall]:
        try:
            value = json.loads(written)
        except (ValueError, RecursionError):
            return []
        objects = value if isinstance(value, list) else [value]
        parsed = [_call(one) for one in objects]
        if not parsed or len(parsed) + self._count > MAX_CALLS or any(call is None for call in parsed):
            return []
        functions = [call for call in parsed if call is not None]
        if any(call.name not in self._names for call in functions):
            return []
        calls = [
            ToolCall(id=f"{self._prefix}{self._count + index}", function=call) for index, call in enumerate(functions)
        ]
        self._count += len(calls)
        return calls


def read_answer(text: str, names: Collection[str], job_id: str, choice: int = 0) -> Found:
    """A whole answer's text and calls."""
    reader = ToolCallReader(names, job_id, choice)
    found, rest = reader.push(text), reader.close()
    return Found((found.content + rest.content).strip() if found.calls else found.content + rest.content, found.calls)


def _call(value: Any) -> FunctionCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return FunctionCall(name=value["name"], arguments=arguments)


def _possible_marker(text: str, markers: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of a marker."""
    longest = max(map(len, markers)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(marker.startswith(tail) for marker in markers):
            return length
    return 0
