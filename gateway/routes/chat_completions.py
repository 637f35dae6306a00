"""POST /v1/chat/completions."""

from fastapi import APIRouter, Request, Response

from gateway.caller import Caller
from gateway.chat.body import ChatCompletionBody
from gateway.chat.stream import ChatStream
from gateway.chat.whole import WholeChat
from gateway.routes.answers import answers
from gateway.routes.asking import asked_of
from gateway.routes.dependencies import GatewayParts, IdempotencyKey, WhoCalls
from gateway.routes.json_route import JsonRoute
from gateway.routes.streaming import event_stream

router = APIRouter(tags=["chat"], route_class=JsonRoute)

EXAMPLE = {
    "id": "chatcmpl-0198c0de",
    "object": "chat.completion",
    "created": 1763596800,
    "model": "drover-tiny",
    "system_fingerprint": "fp_drover",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Paris.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17},
}
STREAM = (
    'id: 1\ndata: {"id":"chatcmpl-0198c0de","object":"chat.completion.chunk",…,"choices":[{"index":0,'
    '"delta":{"content":"Paris"},"logprobs":null,"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)


@router.post(
    "/v1/chat/completions",
    summary="Answer a conversation, as a whole or as a stream",
    response_class=Response,
    responses=answers(EXAMPLE, stream=STREAM),
)
async def create_chat_completion(
    body: ChatCompletionBody,
    request: Request,
    gateway: GatewayParts,
    identity: WhoCalls,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """OpenAI's chat completions. With `session_id` the messages are the new ones only, Drover adds the history."""
    caller = Caller(request.receive)
    asked = asked_of(gateway, identity, body.ask(), body, idempotency_key)
    running = await gateway.completions.start(asked, caller)
    if body.stream:
        return event_stream(gateway, running, ChatStream(running.heading, after_seq=running.after_seq))
    answer = await gateway.completions.whole(running, WholeChat(running.heading), caller)
    return Response(answer, media_type="application/json", headers=running.headers())
