"""Reads tool calls out of an answer's text while the text arrives."""

import re
from collections.abc import Callable, Collection

from shared.bodies.messages import FunctionCall, ToolCall
from shared.tool_calls.call_object import Head, judge, whole_call
from shared.tool_calls.formats import HERMES, OPENERS
from shared.tool_calls.found import CallPiece, Found
from shared.tool_calls.json_scan import JsonScan

CLOSER = HERMES.closer
MAX_CALLS = 128
_ENDS = re.compile(rf"^(\s|{re.escape(CLOSER)})+")


class ToolCallReader:
    """Splits an answer into text and calls, in whichever form the model writes them.

    `names` are the tools that the model has: JSON at the beginning of an answer is a call only if it names one of them.
    A call begins as soon as its name is there and its arguments begin, and its arguments are told as they come, letter
    by letter as the model writes them; an answer that is cut short leaves a call with half its arguments. What turns
    out not to be a call is text after all, so nothing of the answer is lost but white space around calls. The calls'
    ids depend on the job, the choice and the order alone, and what is found in all does not depend on how the text
    is cut: a stream that is read again has the same ones.
    """

    def __init__(self, names: Collection[str], job_id: str, choice: int = 0):
        self._names = names
        self._prefix = f"call_{job_id}_{choice}_" if choice else f"call_{job_id}_"
        self._held = ""
        self._space = ""
        """White space behind the text: it belongs to it only if more text comes."""
        self._step: Callable[[Found], bool] = self._look_for_call
        """Goes on with what is held; whether another step may follow."""
        self._scan = JsonScan(0)
        self._name = ""
        self._arguments: list[str] = []
        self._is_at_start = True
        self._is_after_call = False
        self._is_in_array = False
        self._count = 0

    @property
    def has_calls(self) -> bool:
        """Whether a call has begun."""
        return self._count > 0

    def push(self, text: str) -> Found:
        """Take the next piece of the answer."""
        found = Found()
        self._held += text
        while self._step(found):
            pass
        return found

    def close(self) -> Found:
        """The answer has ended: what was held back is text, and a call that has begun has ended."""
        found = Found()
        if self._step == self._read_arguments:
            self._end_call(found)
        elif self._is_after_call and (self._step != self._look_for_call or CLOSER.startswith(self._held)):
            self._held = ""  # the rest of a call, or too little of another one
        else:
            self._give(found, len(self._held))
            if not self.has_calls:
                found.add(self._space)
        return found

    def _look_for_call(self, found: Found) -> bool:
        if self._is_after_call:  # the white space between and after calls is nobody's
            self._held = _ENDS.sub("", self._held)
        starts = [(place, opener) for opener in OPENERS if (place := self._held.find(opener)) >= 0]
        start_of_json = len(self._held) - len(self._held.lstrip())
        if self._is_at_start and self._held.startswith("{", start_of_json):
            self._begin(start_of_json)
            return True
        if starts:
            place, opener = min(starts)
            self._give(found, place)
            self._begin(len(opener))
            return True
        markers = (*OPENERS, CLOSER) if self._is_after_call else OPENERS
        self._give(found, len(self._held) - _possible_marker(self._held, markers))
        return False

    def _begin(self, skip: int) -> None:
        """A call's JSON is expected behind the first `skip` characters, which are its opener."""
        self._scan = JsonScan(skip)
        self._is_at_start = False
        self._is_in_array = False
        self._step = self._read_head

    def _read_head(self, found: Found) -> bool:
        """Find out whether what is held, an opener and JSON behind it, is a call."""
        start = len(self._held) - len(self._held[self._scan.start :].lstrip())
        if not self._is_in_array and self._held.startswith("[", start):
            self._is_in_array = True
            self._scan = JsonScan(start + 1)
            start = len(self._held) - len(self._held[start + 1 :].lstrip())
        if start == len(self._held):
            return False
        verdict = judge(self._held[start:], self._names) if self._count < MAX_CALLS else "text"
        if isinstance(verdict, Head):
            self._begin_call(found, verdict.name, start + verdict.arguments_at)
            return True
        end = self._scan_from(start)
        if verdict == "text" or not self._held.startswith("{", start):
            self._step = self._pass_on
            return True
        if end is None:
            return False
        call = whole_call(self._held[start:end], self._names)
        if call is None:
            self._step = self._pass_on
        else:
            self._take_whole(found, call, end)
        return True

    def _scan_from(self, start: int) -> int | None:
        """Look at the object that begins at `start`; where it ends."""
        if self._scan.looked_at <= start:
            self._scan = JsonScan(start)
        return self._scan.advance(self._held)

    def _begin_call(self, found: Found, name: str, arguments_at: int) -> None:
        self._open(name)
        found.add(self._piece(begins=True))
        self._held = self._held[arguments_at:]
        self._scan = JsonScan(0)
        self._step = self._read_arguments

    def _take_whole(self, found: Found, call: FunctionCall, end: int) -> None:
        self._open(call.name)
        self._arguments = [call.arguments]
        found.add(self._piece(call.arguments, begins=True, ends=True))
        self._held = self._held[end:]
        self._finish(found)
        self._step = self._after_object

    def _read_arguments(self, found: Found) -> bool:
        end = self._scan.advance(self._held)
        given = self._held[: self._scan.looked_at if end is None else end]
        if given:
            self._arguments.append(given)
            self._held = self._held[len(given) :]
            self._scan.forget(len(given))
            found.add(self._piece(given))
        if end is None:
            return False
        self._end_call(found)
        self._scan = JsonScan(0, depth=1)
        self._step = self._end_object
        return True

    def _end_call(self, found: Found) -> None:
        found.add(self._piece(ends=True))
        self._finish(found)

    def _end_object(self, found: Found) -> bool:
        """Skip what stands in a call's object behind its arguments."""
        end = self._scan.advance(self._held)
        if end is None:
            return False
        self._held = self._held[end:]
        self._step = self._after_object
        return True

    def _after_object(self, found: Found) -> bool:
        if self._is_in_array:
            self._held = self._held.lstrip()
            if not self._held:
                return False
            if self._held.startswith(","):
                self._held = self._held[1:]
                self._scan = JsonScan(0)
                self._step = self._read_head
                return True
            self._held = self._held.removeprefix("]")
        self._step = self._look_for_call
        return True

    def _pass_on(self, found: Found) -> bool:
        """JSON that is no call, or no JSON at all: text up to its end."""
        end = self._scan.advance(self._held)
        length = self._scan.looked_at if end is None else end
        self._give(found, length)
        if end is None:
            self._scan.forget(length)
            return False
        self._step = self._look_for_call
        return True

    def _give(self, found: Found, length: int) -> None:
        """The first `length` characters are text."""
        given = self._space + self._held[:length]
        self._held = self._held[length:]
        text = given.rstrip()
        self._space = given[len(text) :]
        if text:
            found.add(text)
            self._is_at_start = self._is_after_call = False

    def _open(self, name: str) -> None:
        self._name, self._arguments, self._space = name, [], ""

    def _piece(self, arguments: str = "", *, begins: bool = False, ends: bool = False) -> CallPiece:
        return CallPiece(self._count, f"{self._prefix}{self._count}", self._name, arguments, begins, ends)

    def _finish(self, found: Found) -> None:
        function = FunctionCall(name=self._name, arguments="".join(self._arguments))
        found.calls.append(ToolCall(id=f"{self._prefix}{self._count}", function=function))
        self._count += 1
        self._is_after_call = True


def read_answer(text: str, names: Collection[str], job_id: str, choice: int = 0) -> Found:
    """A whole answer's text and calls."""
    reader = ToolCallReader(names, job_id, choice)
    found = reader.push(text)
    found.extend(reader.close())
    return found


def _possible_marker(text: str, markers: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of a marker."""
    longest = max(map(len, markers)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        tail = text[-length:]
        if any(marker.startswith(tail) for marker in markers):
            return length
    return 0
