"""Reads the answers of an OpenAI-compatible server, whoever brings their bytes, into outcomes."""

import json
import time
from collections.abc import Callable
from typing import Any

from cli.bench.outcome import BROKEN_STREAM, DOUBLED_IDS, MISSING_IDS, Outcome

_DATA = b"data:"
_ID = b"id:"
_SAID = 200
"""So many characters of an error that is not OpenAI's are kept."""


class StreamedAnswer:
    """A streamed chat completion. `feed` takes its bytes as they come, `end` says that no more will."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self.outcome = Outcome(clock())
        self.is_over = False
        """The stream has said its last word: what comes now is not read."""
        self._waiting = b""
        self._event_id = -1
        self._text_id = -1
        self.pieces = 0
        """Pieces of text that have come."""
        self._choices = 1

    def feed(self, data: bytes) -> None:
        """Take some bytes of the body."""
        now_s = self._clock() - self.outcome.begun_s
        *lines, self._waiting = (self._waiting + data).split(b"\n")
        for line in lines:
            if self.is_over:
                return
            if line.startswith(_DATA):
                self._read(line[len(_DATA) :].strip(), now_s)
            elif line.startswith(_ID) and (written := line[len(_ID) :].strip()).isdigit():
                self._event_id = int(written)

    def end(self) -> Outcome:
        """The stream has ended, as it should or not."""
        outcome = self.outcome
        outcome.ended_s = self._clock()
        if not self.is_over:
            outcome.error = outcome.error or BROKEN_STREAM
        elif not outcome.error and self._are_ids_missing():
            outcome.error = MISSING_IDS
        if not outcome.is_counted:
            outcome.tokens = self.pieces
        return outcome

    def fail(self, error: str, words: str = "") -> Outcome:
        """The request ended in an error of this class before its stream did."""
        self.outcome.error, self.outcome.words = error, words
        return self.end()

    def refuse(self, status: int, body: bytes) -> Outcome:
        """The server answered with a status that is no success."""
        return self.fail(*refusal(status, body))

    def _read(self, data: bytes, now_s: float) -> None:
        if data == b"[DONE]":
            self.is_over = True
            return
        try:
            chunk: dict[str, Any] = json.loads(data)
            self._take(chunk, now_s)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.is_over = True
            self.outcome.error, self.outcome.words = BROKEN_STREAM, f"an unreadable chunk: {error}"

    def _take(self, chunk: dict[str, Any], now_s: float) -> None:
        if error := chunk.get("error"):
            self.is_over = True
            self.outcome.error = f"in the stream: {_code(error)}"
            self.outcome.words = str(error.get("message", ""))[:_SAID]
            return
        if usage := chunk.get("usage"):
            self.outcome.tokens, self.outcome.prompt_tokens = usage["completion_tokens"], usage["prompt_tokens"]
            self.outcome.is_counted = True
        for choice in chunk["choices"]:
            self._choices = max(self._choices, choice.get("index", 0) + 1)
            if _says_something(choice.get("delta") or {}):
                self._take_text(now_s)

    def _take_text(self, now_s: float) -> None:
        outcome = self.outcome
        self.pieces += 1
        if outcome.last_text_s is None:
            outcome.first_text_s = now_s
        else:
            outcome.gaps_s.append(now_s - outcome.last_text_s)
        outcome.last_text_s = now_s
        if self._event_id >= 0:
            if self._event_id <= self._text_id:
                outcome.error = DOUBLED_IDS
            self._text_id = self._event_id

    def _are_ids_missing(self) -> bool:
        """Drover's ids count tokens, and the last one stands behind them all. Others send none."""
        return self.outcome.is_counted and 0 <= self._event_id < self.outcome.tokens + self._choices


def refusal(status: int, body: bytes) -> tuple[str, str]:
    """The class of an HTTP error, which is its status and OpenAI's code or type, and the server's own sentence."""
    try:
        error = json.loads(body)["error"]
        return f"{status} {_code(error)}".strip(), str(error["message"])[:_SAID]
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(status), body[:_SAID].decode(errors="replace")


def _code(error: dict[str, Any]) -> str:
    return str(error.get("code") or error.get("type") or "")


def _says_something(delta: dict[str, Any]) -> bool:
    return bool(delta.get("content") or delta.get("reasoning_content") or delta.get("tool_calls"))
