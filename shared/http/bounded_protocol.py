"""Uvicorn's HTTP protocol with a bound on what it keeps of a request beside the body."""

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared.errors import BadRequestError, DroverError

MAX_HEAD_BYTES = 256 * 1024
"""The request line, all headers, and what surrounds the chunks of a body. The parser keeps a header until it ends, so
without a bound one endless header from anybody would fill the memory."""

MAX_HEADERS_BYTES = 64 * 1024
"""The request line and all headers alone: other servers take 8 to 64 KiB."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers 400 and closes the connection when a request's head is larger than it may be."""

    _messages = 0
    _head_bytes = 0
    _headers_bytes = 0

    def data_received(self, data: bytes) -> None:
        messages = self._messages
        super().data_received(data)
        if self._messages == messages:  # else a request has begun somewhere in these data: not counted, they are few
            self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of this request is too long.")

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's own is plain text; this one has the shape of all other errors."""
        self.refuse(BadRequestError(msg))

    def refuse(self, error: DroverError) -> None:
        """Answer without the application, and close."""
        body = orjson.dumps(error.body())
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._messages += 1
        self._head_bytes = 0
        self._headers_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._head_bytes -= len(body)

    def _count(self, size_bytes: int) -> None:
        """Whatever is raised in here is a 400 to the client."""
        self._headers_bytes += size_bytes
        if self._headers_bytes > MAX_HEADERS_BYTES:
            raise ValueError("The head of this request is too long.")
