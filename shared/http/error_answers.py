"""Exceptions to HTTP answers: every failure leaves in OpenAI's error shape."""

import math
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BadRequestError, DroverError, NotFoundError, UpstreamError
from shared.http.validation import bad_request

_log = structlog.get_logger(__name__)


def error_response(error: DroverError) -> JSONResponse:
    """The answer for `error`: status, body, its headers, and Retry-After in whole seconds (at least 1)."""
    return JSONResponse(error.body(), status_code=error.status, headers=error_headers(error))


def error_headers(error: DroverError) -> dict[str, str]:
    """The headers of `error`'s answer."""
    headers = dict(error.headers)
    retry_after_s = error.retry_after_s
    if retry_after_s is None and error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after_s = 1
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    return headers


def install_errors(app: FastAPI) -> None:
    """Have every exception of `app` answered in OpenAI's shape; call it before other middleware is added."""

    @app.exception_handler(DroverError)
    async def answer_drover_error(_request: Request, error: DroverError) -> JSONResponse:
        if error.status == DroverError.status:
            _log.error("request_failed", code=error.code, exc_info=error)
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def answer_invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(bad_request(error))

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        return _http_answer(request, error)

    @app.exception_handler(Exception)
    async def answer_unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return error_response(DroverError())  # raised in outer middleware; Starlette raises it again, uvicorn logs it

    app.add_middleware(UnexpectedErrorMiddleware)


class UnexpectedErrorMiddleware:
    """Answers 500, with nothing of the exception's text, and logs the exception, if no answer has begun."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def watch(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if has_started or scope["type"] != "http":
                raise
            _log.error("unexpected_error", method=scope["method"], path=scope["path"], exc_info=error)
            await error_response(DroverError())(scope, receive, send)


def _http_answer(request: Request, error: HTTPException) -> JSONResponse:
    """What the framework itself refuses: mostly 404 and 405."""
    where = f"{request.method} {request.url.path}"
    described: DroverError
    if error.status_code == HTTPStatus.NOT_FOUND:
        described = NotFoundError(f"There is nothing at {where}.")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        described = BadRequestError(f"{where} is not allowed; use {allowed}.")
    elif error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        described = BadRequestError(str(error.detail))
    else:
        described = UpstreamError()
    response = JSONResponse(described.body(), status_code=error.status_code)
    response.headers.update(error.headers or {})
    return response
