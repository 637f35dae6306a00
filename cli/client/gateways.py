"""The gateways that serve one installation, behind one key: plain calls and open streams; the only user of httpx."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from cli.client.errors import ApiError, ConnectionLostError, UnreachableError
from cli.client.sse import Event, read_events

CALL_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 60.0
"""A stream says something every 15 s, so one that is silent for so long has lost its gateway."""


class Gateways:
    """The gateways at `urls`; the one that answered last is asked first."""

    def __init__(self, urls: list[str], api_key: str, *, timeout_s: float = CALL_TIMEOUT_S):
        """Raises ApiError for a key that no header can hold."""
        if not (api_key.isascii() and api_key.isprintable()):
            raise ApiError("The API key has characters that no key has: look at --api-key or DROVER_API_KEY.")
        self._urls = [url.rstrip("/") for url in urls]
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    @property
    def url(self) -> str:
        return self._urls[0]

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        params: dict[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """The JSON object that the first gateway that can be reached answers. Raises ApiError, UnreachableError."""
        content = None if body is None else encoded(body)
        timeout = httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s
        for _ in self._urls:
            try:
                response = self._client.request(
                    method, f"{self.url}{path}", content=content, params=params, timeout=timeout
                )
            except (httpx.TransportError, httpx.InvalidURL) as error:
                if not _may_ask_another(error, method):
                    raise self.unreachable() from error
                self.turn_to_the_next()
            else:
                _refuse_errors(response)
                return self._object(response)
        raise self.unreachable()

    @contextmanager
    def events(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        silence_s: float = SILENCE_S,
    ) -> Iterator[tuple[str, Iterator[Event]]]:
        """The job's id and the events of one stream, on the first gateway; it is lost after `silence_s` without a byte.

        Raises ApiError for an answer that is no stream, and ConnectionLostError, also while the events are read.
        """
        accepted = {"Accept": "text/event-stream", **(headers or {})}
        timeout = httpx.Timeout(silence_s, connect=CONNECT_TIMEOUT_S)
        with (
            _broken_connections_told(),
            self._client.stream(
                method, f"{self.url}{path}", content=content, headers=accepted, timeout=timeout
            ) as response,
        ):
            _refuse_errors(response)
            if "text/event-stream" not in response.headers.get("content-type", ""):
                raise self._stranger()
            yield response.headers.get("x-job-id", ""), read_events(response.iter_bytes())

    @contextmanager
    def download(self, path: str) -> Iterator[Iterator[bytes]]:
        """The pieces of an answer of any size. Raises ApiError, UnreachableError."""
        try:
            with _broken_connections_told(), self._client.stream("GET", f"{self.url}{path}") as response:
                _refuse_errors(response)
                yield response.iter_bytes()
        except ConnectionLostError as error:
            raise self.unreachable() from error

    def turn_to_the_next(self) -> None:
        """Ask another gateway first from now on."""
        self._urls.append(self._urls.pop(0))

    def count(self) -> int:
        return len(self._urls)

    def unreachable(self) -> UnreachableError:
        where = ", ".join(sorted(self._urls))
        return UnreachableError(f"No gateway answers at {where}: `drover status` says what runs.")

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._stranger()
        return answer

    def _stranger(self) -> ApiError:
        return ApiError(f"{self.url} does not answer as Drover does: look at --url.")


def encoded(body: dict[str, Any]) -> bytes:
    """Raises ApiError for what JSON cannot hold."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise ApiError("This cannot be sent: a text is not UTF-8, or a number is none.") from error


@contextmanager
def _broken_connections_told() -> Iterator[None]:
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ConnectionLostError(was_sent=not _was_never_sent(error)) from error


def _was_never_sent(error: Exception) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.InvalidURL | httpx.UnsupportedProtocol)


def _may_ask_another(error: Exception, method: str) -> bool:
    return method == "GET" or _was_never_sent(error)


def _refuse_errors(response: httpx.Response) -> None:
    """Raises ApiError with the server's own sentence."""
    if response.is_success:
        return
    response.read()
    try:
        told = response.json()["error"]
        sentence, code, param = str(told["message"]), told.get("code"), told.get("param")
    except (ValueError, KeyError, TypeError):
        sentence, code, param = f"{response.request.url} answered {response.status_code}.", None, None
    request_id = response.headers.get("x-request-id")
    raise ApiError(sentence, status=response.status_code, param=param, code=code, request_id=request_id)
