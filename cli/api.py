"""The HTTP API as the commands use it: sessions, and replies that stream and survive a gateway's death."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, connect_sse

_BUSY_WAIT_S = 15.0
"""How long a message waits for the turn before it, such as one that was just cancelled."""
_RESUME_WAIT_S = 20.0
"""How long a broken stream looks for a gateway that takes it up again."""


class ApiError(Exception):
    """The API refused or cannot be reached; the message is for the person at the terminal."""


@dataclass
class Reply:
    """What is known of a reply; filled while its pieces are read. `seconds_*` count from the request."""

    job_id: str = ""
    last_event_id: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds_to_first_text: float = 0.0
    seconds_to_last_text: float = 0.0
    is_over: bool = False
    _begun: float = field(default_factory=time.monotonic, repr=False)

    def read(self, event: ServerSentEvent) -> str:
        """Take one event in; answers its text. Raises ApiError for an error event."""
        self.last_event_id = event.id or self.last_event_id
        if event.data == "[DONE]":
            self.is_over = True
            return ""
        content = json.loads(event.data)
        if "error" in content:
            self.is_over = True
            raise ApiError(content["error"]["message"])
        if usage := content.get("usage"):
            self.prompt_tokens, self.completion_tokens = usage["prompt_tokens"], usage["completion_tokens"]
        text = ""
        for choice in content.get("choices", []):
            text += choice["delta"].get("content") or ""
            self.finish_reason = choice["finish_reason"] or self.finish_reason
        if text:
            self.seconds_to_last_text = time.monotonic() - self._begun
            self.seconds_to_first_text = self.seconds_to_first_text or self.seconds_to_last_text
        return text


class Api:
    """The gateways at `urls` (the first is asked first), with one key."""

    def __init__(self, urls: list[str], api_key: str):
        """Raises ApiError for a key that no header can hold."""
        if not (api_key.isascii() and api_key.isprintable()):
            raise ApiError("The API key has characters that no key has: look at --api-key or DROVER_API_KEY.")
        self._urls = [url.rstrip("/") for url in urls]
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(60, connect=5), trust_env=False)

    def create_session(self, system: str | None = None) -> str:
        """The new session's id."""
        session_id: str = self._call("POST", "/v1/sessions", {"system": system} if system else {})["id"]
        return session_id

    def session(self, session_id: str) -> dict[str, Any]:
        """The session, to see that it exists."""
        return self._call("GET", f"/v1/sessions/{session_id}")

    def models(self) -> list[str]:
        return [model["id"] for model in self._call("GET", "/v1/models")["data"]]

    def cancel(self, reply: Reply) -> None:
        """Ask for the end of a reply. The stream's end does that too, so a refusal is no matter."""
        if reply.job_id and not reply.is_over:
            try:
                self._client.post(f"{self._urls[0]}/v1/jobs/{reply.job_id}/cancel", timeout=5)
            except httpx.HTTPError:
                return

    def stream(
        self, reply: Reply, model: str, session_id: str, text: str, temperature: float | None = None
    ) -> Iterator[str]:
        """The pieces of the answer to `text` in that session. Raises ApiError."""
        body: dict[str, Any] = {
            "model": model,
            "session_id": session_id,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if temperature is not None:
            body["temperature"] = temperature
        try:
            yield from self._read_when_free(reply, body)
        except httpx.TransportError as error:
            if not reply.job_id:
                raise self._unreachable() from error
        if not reply.is_over:
            yield from self._resume(reply)

    def _read_when_free(self, reply: Reply, body: dict[str, Any]) -> Iterator[str]:
        """Start the turn; wait while another one is in progress in this session."""
        content = _encoded(body)
        give_up = time.monotonic() + _BUSY_WAIT_S
        while True:
            with connect_sse(self._client, "POST", f"{self._urls[0]}/v1/chat/completions", content=content) as source:
                if source.response.status_code != 409 or time.monotonic() > give_up:
                    _refuse_errors(source.response)
                    reply.job_id = source.response.headers.get("x-job-id", "")
                    yield from _texts(reply, source.iter_sse())
                    return
            time.sleep(0.2)

    def _resume(self, reply: Reply) -> Iterator[str]:
        """Go on after the last event, on any gateway that answers."""
        give_up = time.monotonic() + _RESUME_WAIT_S
        while not reply.is_over:
            for url in reversed(self._urls):
                try:
                    with connect_sse(
                        self._client,
                        "GET",
                        f"{url}/v1/jobs/{reply.job_id}/stream",
                        headers={"Last-Event-ID": reply.last_event_id} if reply.last_event_id else {},
                    ) as source:
                        _refuse_errors(source.response)
                        yield from _texts(reply, source.iter_sse())
                except httpx.TransportError:
                    continue
            if not reply.is_over and time.monotonic() > give_up:
                raise self._unreachable()
            time.sleep(0.2)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            content = None if body is None else _encoded(body)
            response = self._client.request(method, f"{self._urls[0]}{path}", content=content)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._unreachable() from error
        _refuse_errors(response)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ApiError(f"{self._urls[0]} does not answer as Drover does: look at --url.")
        return answer

    def _unreachable(self) -> ApiError:
        return ApiError(f"No gateway answers at {', '.join(self._urls)}: `drover status` says what runs.")


def _encoded(body: dict[str, Any]) -> bytes:
    """Raises ApiError for what JSON cannot hold."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise ApiError("This cannot be sent: a text is not UTF-8, or a number is none.") from error


def _texts(reply: Reply, events: Iterator[ServerSentEvent]) -> Iterator[str]:
    for event in events:
        if text := reply.read(event):
            yield text
        if reply.is_over:
            return


def _refuse_errors(response: httpx.Response) -> None:
    """Raises ApiError with the server's own sentence."""
    if response.is_success:
        return
    response.read()
    try:
        sentence = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        sentence = f"{response.request.url} answered {response.status_code}."
    raise ApiError(sentence)
