"""An answer's items as its tokens make them, and OpenAI's events that tell of each step.

Every token is looked at by itself, however many came at once: the events, and so their numbers, are the same for who
reads live, who reads later and who reads at another gateway.
"""

from collections.abc import Iterator
from typing import Any

from gateway.chat.logprobs import logprobs_fields
from gateway.responses.identifiers import call_item_id
from gateway.responses.shown_items import ItemStatus, call_item, carried, message_item, output_text
from shared.bodies.messages import FunctionCall, ToolCall
from shared.events import TokensEvent
from shared.job import AnswerForm
from shared.tool_calls import CallPiece, Found, ToolCallReader

Change = dict[str, Any]
"""One event without its number."""


class Output:
    """The items that are done, and the one that is open: a message is closed before a call begins, as OpenAI does."""

    def __init__(self, turn_id: str, form: AnswerForm):
        self._id = f"msg_{turn_id}"
        self._reader = ToolCallReader(form.tool_names, turn_id) if form.tool_names else None
        self._items: list[dict[str, Any]] = []
        self._is_open = False
        self._call: CallPiece | None = None
        self._texts: list[str] = []
        """Of the open message, or of the open call's arguments."""
        self._messages = 0
        self._new_logprobs: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []

    def take(self, event: TokensEvent) -> Iterator[Change]:
        """The next tokens."""
        for index, text in enumerate(event.texts):
            if event.logprobs is not None:
                self._new_logprobs += logprobs_fields([event.logprobs[index]])["content"]
            if self._reader is None:
                yield from self.say(text)
            else:
                yield from self._tell(self._reader.push(text), "completed")

    def end(self, held_text: str, status: ItemStatus) -> Iterator[Change]:
        """The answer has ended, with the text that was held back. One that ended well has an item at least."""
        if self._reader is None:
            yield from self.say(held_text)
        else:
            yield from self._tell(self._reader.push(held_text), "completed")
            yield from self._tell(self._reader.close(), status)
        if not (self._items or self._is_open) and status == "completed":
            yield from self._open()
        yield from self._close(status)

    def say(self, text: str) -> Iterator[Change]:
        """A text of the answer."""
        if not text:
            return
        if not self._is_open:
            yield from self._open()
        logprobs, self._new_logprobs = self._new_logprobs, []
        self._logprobs += logprobs
        self._texts.append(text)
        yield self._of_text("response.output_text.delta", delta=text, logprobs=logprobs)

    def call(self, index: int, call: ToolCall) -> Iterator[Change]:
        """A whole call that the answer asks for, the one of that number."""
        piece = CallPiece(index, call.id, call.function.name, call.function.arguments, begins=True, ends=True)
        yield from self._call_on(piece, "completed")

    def items(self) -> list[dict[str, Any]]:
        """As they stand; what is open is incomplete."""
        if self._call is not None:
            return [*self._items, self._call_item(self._call, "incomplete")]
        return [*self._items, self._message("incomplete")] if self._is_open else self._items

    def _tell(self, found: Found, status: ItemStatus) -> Iterator[Change]:
        """What was found in the text; a call that ends with it has this status."""
        for piece in found.pieces:
            if isinstance(piece, str):
                yield from self.say(piece)
            else:
                yield from self._call_on(piece, status)

    def _open(self) -> Iterator[Change]:
        self._is_open, self._texts, self._logprobs = True, [], []
        item = message_item(self._message_id, [], "in_progress")
        yield {"type": "response.output_item.added", "output_index": len(self._items), "item": item}
        yield self._of_text("response.content_part.added", part=output_text(""))

    def _close(self, status: ItemStatus) -> Iterator[Change]:
        if not self._is_open:
            return
        self._logprobs += self._new_logprobs
        self._new_logprobs = []
        item = self._message(status)
        part = item["content"][0]
        yield self._of_text("response.output_text.done", text=part["text"], logprobs=part["logprobs"])
        yield self._of_text("response.content_part.done", part=part)
        yield self._done(item)
        self._is_open = False
        self._messages += 1

    def _call_on(self, piece: CallPiece, status: ItemStatus) -> Iterator[Change]:
        if piece.begins:
            yield from self._close("completed")
            self._texts, self._call = [], piece
            item = self._call_item(piece, "in_progress")
            yield {"type": "response.output_item.added", "output_index": len(self._items), "item": item}
        self._new_logprobs = []  # OpenAI tells those of texts alone
        arguments = carried(piece.arguments)
        place = {"item_id": call_item_id(self._id, piece.index), "output_index": len(self._items)}
        if arguments:
            self._texts.append(arguments)
            yield {"type": "response.function_call_arguments.delta", **place, "delta": arguments}
        if piece.ends:
            item = self._call_item(piece, status)
            yield {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]}
            yield self._done(item)
            self._call = None

    def _done(self, item: dict[str, Any]) -> Change:
        self._items.append(item)
        return {"type": "response.output_item.done", "output_index": len(self._items) - 1, "item": item}

    def _call_item(self, piece: CallPiece, status: ItemStatus) -> dict[str, Any]:
        function = FunctionCall(name=piece.name, arguments="".join(self._texts))
        return call_item(call_item_id(self._id, piece.index), piece.id, function, status)

    @property
    def _message_id(self) -> str:
        return f"{self._id}_{self._messages}" if self._messages else self._id

    def _message(self, status: ItemStatus) -> dict[str, Any]:
        content = [output_text("".join(self._texts), self._logprobs)]
        return message_item(self._message_id, content, status)

    def _of_text(self, kind: str, **said: Any) -> Change:
        return {
            "type": kind,
            "item_id": self._message_id,
            "output_index": len(self._items),
            "content_index": 0,
            **said,
        }
