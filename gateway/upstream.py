"""HTTP calls to another service of Drover: kept-alive connections, time limits, errors of the tree."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import orjson
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, SecretStr

from shared.errors import DroverError, PermissionDeniedError, UnavailableError, error_from_body
from shared.errors import UpstreamError as UpstreamFailure
from shared.telemetry import traces

CONNECT_TIMEOUT_S = 0.8
"""A service that cannot be reached is a 503 within a second."""


class Upstream:
    """One service behind the gateway."""

    def __init__(self, name: str, base_url: str, internal_token: SecretStr, *, timeout_s: float):
        self._name = name
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {internal_token.get_secret_value()}"},
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30),
            trust_env=False,  # a proxy of the environment must never see internal calls
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        is_repeatable: bool = True,
        timeout_s: float | None = None,
        span: str = "",
    ) -> httpx.Response:
        """The answer, if its status says success. `span` is what the call is named in traces, else its method.

        A repeatable call whose kept-alive connection turns out to be closed is sent once more. Raises the error that
        the service described, UnavailableError when it cannot be reached or does not answer in time.
        """
        attributes = {"http.request.method": method, "server.address": self._client.base_url.host}
        with traces.span(span or method, SpanKind.CLIENT, attributes):
            return await self._call(method, path, body, headers, params, is_repeatable, timeout_s)

    async def _call(
        self,
        method: str,
        path: str,
        body: BaseModel | None,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        is_repeatable: bool,
        timeout_s: float | None,
    ) -> httpx.Response:
        traceparent = traces.current_traceparent()
        traced = {"traceparent": traceparent} if traceparent else {}
        request = self._client.build_request(
            method,
            path,
            content=body.model_dump_json() if body is not None else None,
            headers={"Content-Type": "application/json", **traced, **(headers or {})},
            params=params,
            timeout=httpx.USE_CLIENT_DEFAULT
            if timeout_s is None
            else httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
        )
        try:
            async with asyncio.timeout(timeout_s or self._timeout_s):  # httpx' own starts anew with every read
                response = await self._send(request, is_repeatable)
        except (httpx.HTTPError, TimeoutError) as error:
            raise UnavailableError(f"The {self._name} cannot be reached now; try again shortly.") from error
        traces.describe({"http.response.status_code": response.status_code})
        if response.is_error:
            raise self._described(response)
        return response

    async def _send(self, request: httpx.Request, is_repeatable: bool) -> httpx.Response:
        try:
            return await self._client.send(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if not is_repeatable:
                raise
            return await self._client.send(request)

    def _described(self, response: httpx.Response) -> DroverError:
        try:
            body: Any = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
        described = body if isinstance(body, dict) else {}
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and "error" not in described:
            return UnavailableError(f"The {self._name} is not ready; try again shortly.")
        error = error_from_body(described, retry_after_s=_retry_after_s(response))
        if isinstance(error, PermissionDeniedError):  # only the internal token is refused so
            return UpstreamFailure(f"The {self._name} does not accept the gateway's internal token.")
        return error


def _retry_after_s(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None
