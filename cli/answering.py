"""One answer from its first sign to its end: said aloud as it comes, or told as one JSON object when it is over."""

import json
from typing import Any

from cli.client.answer import Answer
from cli.client.errors import ApiError
from cli.client.generation import Generation
from cli.errors import InputError
from cli.status_line import StatusLine
from cli.terminal import OutputClosedError, errors, write

BETWEEN_CHOICES = "---\n"


class Speaker:
    """Reads generations out. Ctrl-C cancels the one that runs, and so does whoever closes the output."""

    def __init__(self, *, as_json: bool = False, is_verbose: bool = False):
        self.status = StatusLine()
        self._as_json = as_json
        self._is_verbose = is_verbose
        self._line = ""
        self._job_id = ""

    def say(self, generation: Generation, text_field: str, **known: Any) -> bool:
        """Say one generation; False when Ctrl-C has ended it.

        Its JSON object has the `known` fields, and its text in `text_field`. Raises ApiError, OutputClosedError,
        InputError.
        """
        is_whole, self._line = True, ""
        try:
            self._read(generation)
        except KeyboardInterrupt:
            is_whole = False
            generation.cancel()
        except (OutputClosedError, InputError):
            generation.cancel()
            raise
        except ApiError:
            self._end_line()
            raise
        finally:
            self.status.show("")
        answer = generation.answer
        if self._as_json:
            write(json.dumps({**known, **_told(answer, text_field)}, ensure_ascii=False) + "\n")
        else:
            self._end_line()
        self._comment(answer, known)
        return is_whole

    def _read(self, generation: Generation) -> None:
        for piece in generation.pieces():
            if self._is_verbose and self._job_id != generation.answer.job_id:
                self._job_id = generation.answer.job_id
                errors.print(f"job {self._job_id}", style="dim")
            if piece.choice == 0:
                self._write(piece.text)
        for choice, text in sorted(generation.answer.texts.items()):
            if choice:
                self._end_line()
                self._write(BETWEEN_CHOICES + text)

    def _write(self, text: str) -> None:
        if not self._as_json and text:
            write(text)
            self._line = text

    def _end_line(self) -> None:
        if not self._as_json and self._line and not self._line.endswith("\n"):
            self._write("\n")

    def _comment(self, answer: Answer, known: dict[str, Any]) -> None:
        """What a person should know of this answer, beside it."""
        if errors.is_terminal or self._is_verbose:
            for words in remarks(answer):
                errors.print(f"[{words}]", style="dim")
        if self._is_verbose:
            figures = {**known, **_told(answer, "text")}
            errors.print(", ".join(f"{name} {value}" for name, value in figures.items() if name != "text"), style="dim")


def remarks(answer: Answer) -> list[str]:
    """How an answer ended and what it did not see, where that is not as one would think."""
    found = []
    if answer.is_cancelled:
        found.append("cancelled")
    elif answer.finish_reason == "length":
        found.append("cut: --max-tokens or the end of the model's context was reached")
    if dropped := answer.truncation.get("dropped_messages"):
        found.append(f"{dropped} older messages no longer fit into the model's context and were left out")
    return found


def _told(answer: Answer, text_field: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "job_id": answer.job_id or None,
        text_field: answer.text,
        "finish_reason": answer.finish_reason or None,
        "usage": answer.usage or None,
        "truncation": answer.truncation or None,
        "seconds_to_first_text": round(answer.seconds_to_first_text, 3),
        "seconds": round(answer.seconds_to_last_text, 3),
    }
    if len(answer.texts) > 1:
        reasons = answer.finish_reasons
        told["choices"] = [
            {"index": choice, text_field: text, "finish_reason": reasons.get(choice)}
            for choice, text in sorted(answer.texts.items())
        ]
    return told
