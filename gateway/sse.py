"""Server-sent events as bytes."""

import orjson

from shared.errors import DroverError

DONE = b"data: [DONE]\n\n"

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would collect the tokens into pages
}


def frame(data: bytes, event_id: int | None = None) -> bytes:
    """One event; `data` must be JSON without line breaks."""
    if event_id is None:
        return b"data: %b\n\n" % data
    return b"id: %d\ndata: %b\n\n" % (event_id, data)


def error_frame(error: DroverError) -> bytes:
    """The event that ends a stream in place of [DONE]; OpenAI's clients raise an APIError when they read it."""
    return b"event: error\ndata: %b\n\n" % orjson.dumps(error.body())
