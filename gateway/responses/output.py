"""An answer's items as its tokens make them, and OpenAI's events that tell of each step.

Every token is looked at by itself, however many came at once: the events, and so their numbers, are the same for who
reads live, who reads later and who reads at another gateway.
"""

from collections.abc import Iterator
from typing import Any

from gateway.chat.logprobs import logprobs_fields
from gateway.responses.identifiers import call_item_id
from gateway.responses.shown_items import ItemStatus, call_item, message_item, output_text
from shared.bodies.messages import ToolCall
from shared.events import TokenLogprob, TokensEvent
from shared.job import AnswerForm
from shared.tool_calls import ToolCallReader

Change = dict[str, Any]
"""One event without its number."""


class Output:
    """The items that are done, and the message that is open.

    A message is closed before a call follows it, as OpenAI does; a text behind calls is another message. Where there
    are tools, white space waits for what follows it: before a call it is nobody's.
    """

    def __init__(self, turn_id: str, form: AnswerForm):
        self._id = f"msg_{turn_id}"
        self._reader = ToolCallReader(form.tool_names, turn_id) if form.tool_names else None
        self._items: list[dict[str, Any]] = []
        self._is_open = False
        self._texts: list[str] = []
        self._spaces = ""
        self._messages = 0
        self._calls = 0
        self._new_logprobs: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []

    def take(self, event: TokensEvent) -> Iterator[Change]:
        """The next tokens."""
        for index, text in enumerate(event.texts):
            if event.logprobs is not None:
                self._note(event.logprobs[index])
            if self._reader is None:
                yield from self.say(text)
            else:
                found = self._reader.push(text)
                yield from self.say(self._without_end(found.content))
                for call in found.calls:
                    yield from self.call(call)

    def end(self, held_text: str, status: ItemStatus) -> Iterator[Change]:
        """The answer has ended, with the text that was held back. One that ended well has an item at least."""
        if self._reader is not None:
            found = self._reader.push(held_text)
            yield from self.say(self._without_end(found.content))
            for call in found.calls:
                yield from self.call(call)
            rest = self._without_end(self._reader.close().content)
            held_text = rest if self._calls else rest + self._spaces
        yield from self.say(held_text)
        if not (self._items or self._is_open) and status == "completed":
            yield from self._open()
        yield from self._close(status)

    def items(self) -> list[dict[str, Any]]:
        """As they stand; an open message is incomplete."""
        return [*self._items, self._message("incomplete")] if self._is_open else self._items

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

    def _without_end(self, text: str) -> str:
        """The text up to its last white space, which waits."""
        text = self._spaces + text
        said = text.rstrip()
        self._spaces = text[len(said) :]
        return said

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
        yield {"type": "response.output_item.done", "output_index": len(self._items), "item": item}
        self._items.append(item)
        self._is_open = False
        self._messages += 1

    def call(self, call: ToolCall) -> Iterator[Change]:
        """A call that the answer asks for."""
        yield from self._close("completed")
        self._spaces, self._new_logprobs = "", []
        item = call_item(call_item_id(self._id, self._calls), call.id, call.function, "completed")
        place = {"item_id": item["id"], "output_index": len(self._items)}
        begun = {**item, "status": "in_progress", "arguments": ""}
        yield {"type": "response.output_item.added", "output_index": len(self._items), "item": begun}
        yield {"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": len(self._items), "item": item}
        self._items.append(item)
        self._calls += 1

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

    def _note(self, places: list[TokenLogprob]) -> None:
        self._new_logprobs += logprobs_fields([places])["content"]
