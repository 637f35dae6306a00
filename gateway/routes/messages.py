"""POST /v1/messages: Anthropic's API on the same jobs."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from gateway.anthropic.body import CountTokensRequestBody, MessagesBody
from gateway.anthropic.message import error_body
from gateway.anthropic.stream import MessageStream
from gateway.anthropic.whole import WholeMessage
from gateway.caller import Caller
from gateway.routes.answers import answers
from gateway.routes.asking import asked_of
from gateway.routes.dependencies import GatewayParts, IdempotencyKey
from gateway.routes.json_route import JsonRoute
from gateway.routes.streaming import event_stream
from gateway.service import Gateway
from shared.bodies.keys import Identity
from shared.errors import DroverError, UnavailableError
from shared.http.error_answers import error_headers
from shared.http.validation import bad_request


class AnthropicRoute(JsonRoute):
    """Answers every refusal in Anthropic's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_their_words(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return _refusal(bad_request(error))
            except DroverError as error:
                return _refusal(error)

        return handle_in_their_words


router = APIRouter(tags=["messages"], route_class=AnthropicRoute)

EXAMPLE = {
    "id": "msg_0198c0de",
    "type": "message",
    "role": "assistant",
    "model": "drover-tiny",
    "content": [{"type": "text", "text": "Paris."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 14, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3},
}
STREAM = (
    'id: 1\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"Paris"}}\n\n'
)
_described = APIKeyHeader(name="x-api-key", auto_error=False, description="An API key, as Anthropic's clients send it")


async def _identity(
    gateway: GatewayParts, request: Request, api_key: Annotated[str | None, Depends(_described)]
) -> Identity:
    header = f"Bearer {api_key}" if api_key is not None else request.headers.get("authorization")
    return await gateway.authenticator.identity(header)


WhoCalls = Annotated[Identity, Depends(_identity)]


class TokenCount(BaseModel):
    """Tokens of the whole prompt, template included."""

    input_tokens: int


@router.post(
    "/v1/messages",
    summary="Answer a conversation, in Anthropic's API",
    response_class=Response,
    responses=answers(EXAMPLE, stream=STREAM),
)
async def create_message(
    body: MessagesBody,
    request: Request,
    gateway: GatewayParts,
    identity: WhoCalls,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Anthropic's messages, tools included. The key comes in `x-api-key` or as a Bearer."""
    caller = Caller(request.receive)
    asked = asked_of(gateway, identity, body.ask(), body, idempotency_key)
    prompt_tokens = await _counted(gateway, body) if body.stream else 0
    running = await gateway.completions.start(asked, caller)
    if not body.stream:
        answer = await gateway.completions.whole(running, WholeMessage(running.heading), caller)
        return Response(answer, media_type="application/json", headers=running.headers())
    surface = MessageStream(running.heading, after_seq=running.after_seq, prompt_tokens=prompt_tokens)
    return event_stream(gateway, running, surface)


@router.post(
    "/v1/messages/count_tokens",
    summary="Count a conversation's tokens, in Anthropic's API",
    responses=answers({"input_tokens": 14}),
)
async def count_tokens(body: CountTokensRequestBody, gateway: GatewayParts, _identity: WhoCalls) -> TokenCount:
    """As the model sees it: by its own vocabulary, with its template and the tools."""
    tokens = await gateway.sessions.count_prompt_tokens(body.model, list(body.prompt()), body.asked_tools())
    return TokenCount(input_tokens=tokens)


async def _counted(gateway: Gateway, body: MessagesBody) -> int:
    """The prompt's tokens, which a stream tells at its beginning; 0 while nobody can count."""
    try:
        return await gateway.sessions.count_prompt_tokens(body.model, list(body.prompt()), body.asked_tools())
    except UnavailableError:
        return 0


def _refusal(error: DroverError) -> JSONResponse:
    return JSONResponse(error_body(error), status_code=error.status, headers=error_headers(error))
