"""A small server with OpenAI's chat completions that misbehaves as its model's name says."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKENS = 5
MODELS = ("good", "uncounted", "endless", "broken", "doubled", "missing", "refusing", "failing", "closing")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0
    """Of all connections; the first answer is always good, so that a warm-up succeeds."""
    closes_next = True
    """Whether the next request for "closing" finds its connection closed; every second one is answered."""

    def do_GET(self) -> None:
        self._answer(200, {"object": "list", "data": [{"id": "bert", "kind": "embedding"}, {"id": "good"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked += 1
        model = "good" if self.asked == 1 else body["model"]
        if model == "closing" and type(self).closes_next:
            type(self).closes_next, self.close_connection = False, True
            return
        type(self).closes_next = True
        if model == "refusing":
            self._answer(429, {"error": {"message": "Slower.", "code": "rate_limit_exceeded"}})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._stream(model)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _stream(self, model: str) -> None:
        for number in range(1, TOKENS + 1):
            event_id = max(1, number - 1) if model == "doubled" else number
            self._event({"choices": [{"index": 0, "delta": {"content": "a"}}]}, event_id)
        while model == "endless":
            time.sleep(0.01)
            self._event({"choices": [{"index": 0, "delta": {"content": "a"}}]})
        if model == "broken":
            self.close_connection = True
            return
        if model == "failing":
            self._event({"error": {"message": "Gone.", "code": "worker_lost"}})
        elif model != "uncounted":
            tokens = TOKENS + 3 if model == "missing" else TOKENS
            usage = {"prompt_tokens": 2, "completion_tokens": tokens}
            self._event({"choices": [], "usage": usage}, TOKENS + 1)
        self._write(b"data: [DONE]\n\n")
        self._write(b"")

    def _event(self, chunk: dict[str, Any], event_id: int | None = None) -> None:
        line = b"" if event_id is None else b"id: %d\n" % event_id
        self._write(line + b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quietly."""


@contextmanager
def openai_server() -> Iterator[str]:
    """Its URL; the first request for a completion is answered well whatever its model."""
    handler = type("Handler", (_Handler,), {"asked": 0, "closes_next": True})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
