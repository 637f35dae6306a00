"""Server-sent events as they come off the wire, comments included: those say how long it may still take."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or one comment: then `data` is ''. `id` is '' where the event has none of its own."""

    data: str = ""
    id: str = ""
    comment: str = ""


def read_events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream (WHATWG HTML, section 9.2.6); one that was cut off is left out."""
    data: list[str] = []
    event_id = ""
    for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event("\n".join(data), event_id)
            data, event_id = [], ""
        elif not name:
            yield Event(comment=value)
        elif name == "data":
            data.append(value)
        elif name == "id":
            event_id = value


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Only LF and CRLF end a line: a JSON text may hold every other break that Python knows."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", errors="replace")
