"""A careful client: reads one stream, asks again where it was refused, and resumes elsewhere where it was cut."""

import contextlib
import http.client
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

READ_TIMEOUT_S = 6.0
"""A gateway that says nothing for so long, not even a ping, is taken for dead."""

_PAUSE_S = 0.1
_COME_AGAIN = (408, 409, 429, 500, 502, 503, 504)
"""Answers after which the same request, with the same Idempotency-Key, may succeed. Nothing was promised yet."""


@dataclass
class Asked:
    """One request for a stream. `key` is its Idempotency-Key; `fields` are further fields of OpenAI's body."""

    prompt: str
    tokens: int
    key: str
    session_id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def body(self, model: str) -> dict[str, Any]:
        session = {"session_id": self.session_id} if self.session_id else {}
        return {
            "model": model,
            "messages": [{"role": "user", "content": self.prompt}],
            "max_tokens": self.tokens,
            "ignore_eos": True,
            "stream": True,
            **session,
            **self.fields,
        }


@dataclass
class Leg:
    """One connection of a stream; times are time.monotonic()."""

    url: str
    begun: float
    ended: float = 0.0


@dataclass
class Received:
    """What one client got. `ids` and `arrivals`: SSE id and time.monotonic() of each chunk with text or part of a call.

    `calls`: by its index the name of each tool that was called, with the arguments behind it.
    """

    asked: Asked
    job_id: str = ""
    ids: list[int] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    calls: dict[int, str] = field(default_factory=dict)
    last_id: int = 0
    usages: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    is_persisted: bool = True
    error: dict[str, Any] | None = None
    is_complete: bool = False
    legs: list[Leg] = field(default_factory=list)
    refusals: list[tuple[int, float]] = field(default_factory=list)
    """Status and seconds of each answer that was not a 200; status 0: no answer at all."""
    accepted_at: float = 0.0

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def is_over(self) -> bool:
        return self.is_complete or self.error is not None

    @property
    def cuts(self) -> int:
        """How often the stream was cut and resumed."""
        return max(0, len(self.legs) - 1)


class Client:
    """Reads one stream at a time. `urls` tells the gateways, asked anew for each connection."""

    def __init__(self, urls: Callable[[], list[str]], api_key: str, model: str, chance: random.Random):
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._model = model
        self._chance = chance

    def stream(
        self, asked: Asked, *, timeout_s: float = 120, on_chunk: Callable[[Received], None] = lambda _: None
    ) -> Received:
        """The whole stream, however often it is cut; one that is not over after `timeout_s` comes back as it is."""
        received = Received(asked)
        end = time.monotonic() + timeout_s
        urls = self._urls()
        turn = self._chance.randrange(len(urls))
        while not received.is_over and time.monotonic() < end:
            begun, status = time.monotonic(), 0
            with contextlib.suppress(OSError, http.client.HTTPException):  # cut: what came whole is kept
                status = self._leg(urls[turn % len(urls)], received, on_chunk)
            if not received.is_over:
                if status != 200:
                    received.refusals.append((status, time.monotonic() - begun))
                turn += 1
                time.sleep(_PAUSE_S)
        return received

    def create_session(self, timeout_s: float = 60) -> str:
        """A new, empty session; asks until it has one."""
        end = time.monotonic() + timeout_s
        while True:
            url = self._chance.choice(self._urls())
            with contextlib.suppress(OSError, http.client.HTTPException), _connection(url) as connection:
                connection.request("POST", "/v1/sessions", b"{}", self._headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status in (200, 201):
                    return str(json.loads(content)["id"])
            assert time.monotonic() < end, "no session could be made"
            time.sleep(_PAUSE_S)

    def _leg(self, url: str, received: Received, on_chunk: Callable[[Received], None]) -> int:
        """One connection until it ends; its status. Raises what a cut connection raises."""
        with _connection(url) as connection:
            if received.job_id:
                headers = {**self._headers, "Last-Event-ID": str(received.last_id)}
                connection.request("GET", f"/v1/jobs/{received.job_id}/stream?include_usage=true", headers=headers)
            else:
                headers = {**self._headers, "Idempotency-Key": received.asked.key}
                connection.request(
                    "POST", "/v1/chat/completions", json.dumps(received.asked.body(self._model)).encode(), headers
                )
            answer = connection.getresponse()
            if answer.status == 200:
                self._read(answer, url, received, on_chunk)
            elif answer.status not in _COME_AGAIN:
                received.error = {"status": answer.status, **json.loads(answer.read())["error"]}
            return answer.status

    def _read(
        self, answer: http.client.HTTPResponse, url: str, received: Received, on_chunk: Callable[[Received], None]
    ) -> None:
        received.accepted_at = received.accepted_at or time.monotonic()
        received.job_id = answer.headers["x-job-id"]
        received.legs.append(Leg(url, time.monotonic()))
        try:
            for seq, data in _events(answer):
                if data == b"[DONE]":
                    received.is_complete = True
                    return
                _take(received, seq, json.loads(data))
                on_chunk(received)
                if received.error is not None:
                    return
        finally:
            received.legs[-1].ended = time.monotonic()


class _connection:
    """A connection that is closed at the end of the block."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=READ_TIMEOUT_S)

    def __enter__(self) -> http.client.HTTPConnection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[int | None, bytes]]:
    """Id and data of each whole SSE event; the end of the connection just ends it."""
    waiting = b""
    while data := answer.read1(65536):
        *events, waiting = (waiting + data).split(b"\n\n")
        for event in events:
            seq, said = None, b""
            for line in event.split(b"\n"):
                if line.startswith(b"id:"):
                    seq = int(line[3:])
                elif line.startswith(b"data:"):
                    said = line[5:].strip()
            if said:
                yield seq, said


def _take(received: Received, seq: int | None, chunk: dict[str, Any]) -> None:
    if "error" in chunk:
        received.error = chunk["error"]
        return
    received.last_id = seq if seq is not None else received.last_id
    if chunk.get("drover", {}).get("persisted") is False:
        received.is_persisted = False
    if chunk.get("usage"):
        received.usages.append(chunk["usage"])
    for choice in chunk["choices"]:
        received.finish_reason = choice["finish_reason"] or received.finish_reason
        text, pieces = choice["delta"].get("content"), choice["delta"].get("tool_calls", ())
        for piece in pieces:
            said = piece["function"].get("name", "") + piece["function"]["arguments"]
            received.calls[piece["index"]] = received.calls.get(piece["index"], "") + said
        if text:
            received.texts.append(text)
        if text or pieces:
            received.ids.append(received.last_id)
            received.arrivals.append(time.monotonic())
