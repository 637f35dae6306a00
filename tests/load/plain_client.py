"""A client with one connection and the standard library's sockets, which Locust makes cooperative."""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from cli.bench.answers import StreamedAnswer, refusal
from cli.bench.outcome import BROKEN_STREAM, NO_CONNECTION, TIMED_OUT, Outcome

_READ_BYTES = 65_536


class PlainClient:
    """One user's connection to a server with OpenAI's API; `url` may end in /v1 or not.

    It is kept for the next request and opened anew where the server has closed it. Not for several threads at once.
    """

    def __init__(self, url: str, api_key: str, *, timeout_s: float):
        parts = urlsplit(url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = make(parts.hostname or "", parts.port, timeout=timeout_s)
        self._root = parts.path.rstrip("/").removesuffix("/v1")
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._is_used = False

    def close(self) -> None:
        self._connection.close()
        self._is_used = False

    def stream(self, body: dict[str, Any]) -> Outcome:
        """A streamed chat completion, read to its end."""
        answer = StreamedAnswer()
        has_answered = False
        try:
            response = self._send("POST", "/v1/chat/completions", body)
            has_answered = True
            if response.status != 200:
                return answer.refuse(response.status, response.read())
            while data := response.read1(_READ_BYTES):
                answer.feed(data)
            return answer.end()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return answer.fail(_class_of(error, has_answered=has_answered), repr(error))

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[Outcome, dict[str, Any]]:
        """A request whose answer comes in one piece, and the answer; {} after an error."""
        outcome, answer = Outcome(time.monotonic(), is_counted=True), {}
        has_answered = False
        try:
            response = self._send(method, path, body)
            has_answered = True
            content = response.read()
            if response.status < 300:
                answer = json.loads(content)
            else:
                outcome.error, outcome.words = refusal(response.status, content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            outcome.error, outcome.words = _class_of(error, has_answered=has_answered), repr(error)
        outcome.ended_s = time.monotonic()
        return outcome, answer

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> http.client.HTTPResponse:
        """The answer's beginning. A kept connection may have been closed by the server: then once more on a new one."""
        content = None if body is None else json.dumps(body).encode()
        while True:
            was_used, self._is_used = self._is_used, True
            try:
                self._connection.request(method, self._root + path, content, self._headers)
                return self._connection.getresponse()
            except (ConnectionError, http.client.RemoteDisconnected):
                self.close()
                if not was_used:
                    raise


def _class_of(error: Exception, *, has_answered: bool) -> str:
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    return BROKEN_STREAM if has_answered else NO_CONNECTION
