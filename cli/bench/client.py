"""Sends chat completions to any server with OpenAI's API, and has their streams measured."""

import json
from typing import Any

import httpx

from cli.bench.answers import StreamedAnswer, refusal
from cli.bench.outcome import BROKEN_STREAM, NO_CONNECTION, TIMED_OUT, Outcome
from cli.client.errors import ApiError, UnreachableError

_CONNECT_S = 5.0


class _UnansweredError(Exception):
    """The connection was there, and ended without an answer."""


class BenchClient:
    """Keeps a connection for each stream. `url` may end in /v1 or not; `timeout_s` without a byte ends a request.

    To make one raises ApiError for a key that no header can hold.
    """

    def __init__(self, url: str, api_key: str, *, streams: int, timeout_s: float):
        if not (api_key.isascii() and api_key.isprintable()):
            raise ApiError("The API key has characters that no key has: look at --api-key or DROVER_API_KEY.")
        self._url = url.rstrip("/").removesuffix("/v1")
        self._client = httpx.AsyncClient(
            headers={
                "Authorization": f"Bearer {api_key}",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",  # a compressed stream may come in larger pieces
            },
            limits=httpx.Limits(max_connections=streams),
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def first_model(self) -> str:
        """The first model that the server lists and that is not known to be an embedding model. Raises ApiError."""
        try:
            response = await self._client.get(f"{self._url}/v1/models")
            if not response.is_success:
                error, words = refusal(response.status_code, response.content)
                raise ApiError(f"{self._url} lists no models: {error} ({words})")
            models = [model["id"] for model in response.json()["data"] if model.get("kind", "chat") == "chat"]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"No server answers at {self._url}: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ApiError(f"{self._url} does not list its models as OpenAI does: give --model.") from error
        if not models:
            raise ApiError(f"{self._url} has no model for chats.")
        return str(models[0])

    async def warm_up(self, body: dict[str, Any]) -> float:
        """Ask once and answer how many seconds that took. Raises ApiError for anything but a whole answer."""
        try:
            outcome = await self.ask(body, StreamedAnswer())
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ApiError(f"{self._url} cannot be asked: {error}") from error
        if outcome.error == NO_CONNECTION:
            raise UnreachableError(f"No server answers at {self._url}: {outcome.words}")
        if outcome.error:
            raise ApiError(f"{self._url}: {outcome.error}{f' ({outcome.words})' if outcome.words else ''}")
        return outcome.total_s

    async def ask(self, body: dict[str, Any], answer: StreamedAnswer) -> Outcome:
        """One request, read into the new `answer` to its end. Raises httpx.InvalidURL.

        A server may close a kept connection just as the request is sent on it: then it is sent once more.
        """
        content = json.dumps(body).encode()
        try:
            return await self._read(content, answer)
        except _UnansweredError:
            pass
        try:
            return await self._read(content, answer)
        except _UnansweredError as error:
            return answer.fail(NO_CONNECTION, str(error))

    async def _read(self, content: bytes, answer: StreamedAnswer) -> Outcome:
        has_answered = False
        try:
            async with self._client.stream("POST", f"{self._url}/v1/chat/completions", content=content) as response:
                has_answered = True
                if not response.is_success:
                    return answer.refuse(response.status_code, await response.aread())
                async for data in response.aiter_raw():
                    answer.feed(data)
            return answer.end()
        except (httpx.ConnectTimeout, httpx.ConnectError) as error:
            return answer.fail(NO_CONNECTION, str(error))
        except httpx.TimeoutException as error:
            return answer.fail(TIMED_OUT, str(error))
        except httpx.HTTPError as error:
            if not has_answered:
                raise _UnansweredError(str(error)) from error
            return answer.fail(BROKEN_STREAM, str(error))
