"""The text of a sequence: bytes of tokens in, text that may be shown out, the rest held back.

Two things are held back: the beginning of a UTF-8 character whose end has not come yet, and text that may turn out to
be the beginning of a stop string. Nothing that was let out is ever taken back.
"""

import codecs
from collections.abc import Iterable, Sequence

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class TextStream:
    """The text of one sequence. The stop string that is completed first ends it; of two at once the longer one."""

    def __init__(self, stops: Sequence[str] = ()):
        self._stops = tuple(stop for stop in stops if stop)
        self._longest_beginning = max(map(len, self._stops), default=1) - 1
        self._decoder = _Utf8Decoder("replace")
        self._held = ""
        self.stop: str | None = None
        """The stop string that is complete; nothing more comes out then."""

    @classmethod
    def resumed(cls, stops: Sequence[str], pieces: Iterable[bytes], emitted: str) -> "TextStream":
        """The stream after `pieces`, of which `emitted` has been let out in an earlier life."""
        stream = cls(stops)
        text = "".join(stream._decoder.decode(piece) for piece in pieces)
        stream._held = text[len(emitted) :]
        if found := stream._first_stop():
            end, start = found
            stream._held, stream.stop = stream._held[:start], stream._held[start:end]
        return stream

    @property
    def is_stopped(self) -> bool:
        return self.stop is not None

    def push(self, piece: bytes) -> str:
        """Take the bytes of one token; the text that may be shown now, often ""."""
        if self.is_stopped:
            return ""
        text = self._decoder.decode(piece)
        if not self._stops:
            return text
        if not text:
            return ""
        self._held += text
        if found := self._first_stop():
            end, start = found
            shown, self.stop, self._held = self._held[:start], self._held[start:end], ""
            return shown
        return self._release()

    def finish(self) -> str:
        """The text that is still held back; bytes that are no UTF-8 become U+FFFD."""
        rest = self._held
        if not self.is_stopped:
            rest += self._decoder.decode(b"", final=True)
        self._held = ""
        return rest

    def _first_stop(self) -> tuple[int, int] | None:
        """(end, start) of the stop string that is completed first in what is held."""
        found = ((start + len(stop), start) for stop in self._stops if (start := self._held.find(stop)) >= 0)
        return min(found, default=None)

    def _release(self) -> str:
        """Let out all but the longest end that a stop string could begin with."""
        held = self._held
        for start in range(max(0, len(held) - self._longest_beginning), len(held)):
            tail = held[start:]
            if any(stop.startswith(tail) for stop in self._stops):
                self._held = tail
                return held[:start]
        self._held = ""
        return held
