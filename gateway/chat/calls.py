"""The tool calls in a chat answer: read out of each choice's text, told as OpenAI tells them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.events import TokenLogprob
from shared.job import AnswerForm
from shared.tool_calls import CallPiece, Found, ToolCallReader, read_answer

Places = list[list[TokenLogprob]]


@dataclass(slots=True)
class _Choice:
    """`places`: the logprobs of tokens whose text has not been told yet."""

    reader: ToolCallReader
    places: Places = field(default_factory=list)


class CallReaders:
    """Makes deltas of the text of each choice while it comes."""

    def __init__(self, form: AnswerForm, job_id: str):
        self._form = form
        self._job_id = job_id
        self._choices: dict[int, _Choice] = {}

    def push(self, choice: int, text: str, places: Sequence[list[TokenLogprob]]) -> tuple[dict[str, Any], Places]:
        """What the next text of a choice adds to its message, and the logprobs told with it; empty for nothing yet."""
        read = self._of(choice)
        read.places += places
        return self._told(read, read.reader.push(text))

    def end(self, choice: int, text: str) -> tuple[dict[str, Any], Places]:
        """The same for the last text of a choice."""
        read = self._of(choice)
        found = read.reader.push(text)
        found.extend(read.reader.close())
        delta, places = self._told(read, found)
        return delta, places or read.places

    def reason(self, choice: int, reason: str) -> str:
        return reason_of(reason, self._form, has_calls=self._of(choice).reader.has_calls)

    def _told(self, read: _Choice, found: Found) -> tuple[dict[str, Any], Places]:
        delta = delta_of(found, self._form)
        if not delta:
            return delta, []
        places, read.places = read.places, []
        return delta, places

    def _of(self, choice: int) -> _Choice:
        if choice not in self._choices:
            self._choices[choice] = _Choice(ToolCallReader(self._form.tool_names, self._job_id, choice))
        return self._choices[choice]


def delta_of(found: Found, form: AnswerForm) -> dict[str, Any]:
    """A chunk's delta; {} where nothing was found."""
    calls: dict[int, dict[str, Any]] = {}
    for piece in found.pieces:
        if isinstance(piece, CallPiece):
            call = calls.setdefault(piece.index, {"index": piece.index, "function": {"arguments": ""}})
            if piece.begins:
                call |= {"id": piece.id, "type": "function"}
                call["function"] = {"name": piece.name, "arguments": ""}
            call["function"]["arguments"] += piece.arguments
    told = [call for call in calls.values() if "id" in call or call["function"]["arguments"]]
    delta: dict[str, Any] = {"content": found.content} if found.content else {}
    if not told:
        return delta
    if form.is_legacy:
        return {**delta, "function_call": told[0]["function"]}
    return {**delta, "tool_calls": told}


def message_of(text: str, form: AnswerForm, job_id: str, choice: int) -> dict[str, Any]:
    """A whole answer's content and calls, as fields of its message."""
    found = read_answer(text, form.tool_names, job_id, choice)
    if not found.calls:
        return {"content": found.content}
    content = found.content or None
    if form.is_legacy:
        return {"content": content, "function_call": found.calls[0].function.model_dump()}
    return {"content": content, "tool_calls": [call.model_dump() for call in found.calls]}


def reason_of(reason: str, form: AnswerForm, *, has_calls: bool) -> str:
    """Why a choice has ended: a model that stops after calls has stopped for them."""
    if reason != "stop" or not has_calls:
        return reason
    return "function_call" if form.is_legacy else "tool_calls"
