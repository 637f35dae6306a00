"""POST /v1/completions."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from gateway.ask import Ask
from gateway.caller import Caller
from gateway.event_stream import EventStream
from gateway.routes.answers import answers
from gateway.routes.asking import asked_of
from gateway.routes.dependencies import GatewayParts, IdempotencyKey, WhoCalls
from gateway.routes.json_route import JsonRoute
from gateway.routes.streaming import event_stream
from gateway.service import Gateway
from gateway.text.body import CompletionBody
from gateway.text.several import SeveralPrompts, asked_of_prompt
from gateway.text.stream import TextStream
from gateway.text.whole import WholeText
from shared.bodies.tokens import InfillBody
from shared.errors import BadRequestError

router = APIRouter(tags=["completions"], route_class=JsonRoute)

EXAMPLE = {
    "id": "cmpl-0198c0de",
    "object": "text_completion",
    "created": 1763596800,
    "model": "drover-tiny",
    "system_fingerprint": "fp_drover",
    "choices": [{"index": 0, "text": " there was a cat.", "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 16, "total_tokens": 21},
}
STREAM = (
    'id: 1\ndata: {"id":"cmpl-0198c0de","object":"text_completion",…,"choices":[{"index":0,"text":" there",'
    '"logprobs":null,"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)


@router.post(
    "/v1/completions",
    summary="Go on with a text, as a whole or as a stream",
    response_class=Response,
    responses=answers(EXAMPLE, stream=STREAM),
)
async def create_completion(
    body: CompletionBody,
    request: Request,
    gateway: GatewayParts,
    identity: WhoCalls,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """OpenAI's completions: the prompt goes to the model as it is. Several prompts are answered side by side."""
    asks = await _asks(body, gateway)
    asked = asked_of(gateway, identity, asks[0], body, idempotency_key)
    caller = Caller(request.receive)
    if len(asks) > 1:
        several = await SeveralPrompts.started(gateway.completions, asked, asks, caller)
        return await _told_together(several, body, gateway, caller)
    running = await gateway.completions.start(asked_of_prompt(asked, asks[0], 0), caller)
    if body.stream:
        return event_stream(gateway, running, TextStream(running.heading, after_seq=running.after_seq))
    answer = await gateway.completions.whole(running, WholeText(running.heading), caller)
    return Response(answer, media_type="application/json", headers=running.headers())


async def _asks(body: CompletionBody, gateway: Gateway) -> list[Ask]:
    """What is asked of each prompt, with the suffix in it. Raises BadRequestError, ModelNotFoundError."""
    most = gateway.settings.max_choices
    if len(body.prompts) * (body.n or 1) > most:
        raise BadRequestError(f"This server gives at most {most} choices per request.", param="prompt")
    asks = [body.ask(prompt) for prompt in body.prompts]
    if body.suffix is None:
        return asks
    return [replace(ask, prompt=tuple(await _infill(ask, body.suffix, gateway))) for ask in asks]


async def _infill(ask: Ask, suffix: str, gateway: Gateway) -> list[int]:
    if not isinstance(ask.prompt, str):
        raise BadRequestError("A suffix goes with a prompt of text, not of token ids.", param="suffix")
    return await gateway.sessions.infill(InfillBody(model=ask.model, prefix=ask.prompt, suffix=suffix))


async def _told_together(several: SeveralPrompts, body: CompletionBody, gateway: Gateway, caller: Caller) -> Response:
    if body.stream:
        stall_s = gateway.settings.send_stall_s
        return EventStream(several.frames(), headers=several.headers(), stall_s=stall_s, on_gone=several.give_up)
    return Response(await several.whole(caller), media_type="application/json", headers=several.headers())
