"""/api: Drover's own endpoints, for clients that want no more than a message in and tokens out."""

from typing import Literal

import orjson
from fastapi import APIRouter, Request, Response

from gateway.ask import Asked
from gateway.auth import require_writer
from gateway.caller import Caller
from gateway.native.answer import NativeStream, WholeNative
from gateway.native.body import (
    NativeChatBody,
    NativeEmbeddingsAnswerBody,
    NativeEmbeddingsBody,
    NativeGenerateBody,
    NativeModelBody,
    NativeModelsBody,
)
from gateway.routes.answers import answers
from gateway.routes.asking import asked_of
from gateway.routes.dependencies import GatewayParts, IdempotencyKey, WhoCalls
from gateway.routes.json_route import JsonRoute
from gateway.routes.streaming import event_stream
from gateway.service import Gateway
from shared.bodies.embeddings import EmbeddingsBody, EmbeddingsResponseBody
from shared.bodies.keys import Identity
from shared.bodies.sessions import CreateSessionBody, SessionBody
from shared.errors import BadRequestError, ModelNotFoundError

router = APIRouter(prefix="/api", tags=["native"], route_class=JsonRoute)

STREAM = 'id: 1\ndata: {"token":"Paris.","done":false}\n\ndata: {"done":true,"session_id":"…","full_text":"Paris."}\n\n'
WHOLE = {
    "done": True,
    "session_id": "0198c0de",
    "full_text": "Paris.",
    "job_id": "0198c0df",
    "model": "drover-tiny",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17},
}
DESCRIBED = answers(WHOLE, stream=STREAM)
MODELS = {
    "models": [
        {
            "name": "drover-tiny",
            "kind": "chat",
            "context_length": 1024,
            "description": "A small chat model.",
            "loaded": True,
        }
    ]
}
VECTORS = {"model": "all-minilm-l6-v2", "embeddings": [[0.021, -0.043]], "prompt_tokens": 4}


@router.post("/chat", summary="Say something in a conversation", response_class=Response, responses=DESCRIBED)
async def chat(
    body: NativeChatBody,
    request: Request,
    gateway: GatewayParts,
    identity: WhoCalls,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Streams `{"token","done":false}` lines, then one with `session_id` and `full_text`. Without `session_id` it opens
    a conversation; send the id that it tells with the next message."""
    require_writer(identity)
    model = _model(gateway, body.model, "chat")
    session_id = body.session_id
    if body.opens_session:
        if idempotency_key is not None:
            raise BadRequestError(
                "With an Idempotency-Key name the session, or the key would open two.", param="session_id"
            )
        body.ask(model, None)  # what is wrong with it is said before there is a session
        session_id = await _new_session(gateway, identity)
    asked = asked_of(gateway, identity, body.ask(model, session_id), body, idempotency_key)
    return await _told(gateway, asked, request, is_stream=body.stream)


@router.post("/generate", summary="Go on with a text", response_class=Response, responses=DESCRIBED)
async def generate(
    body: NativeGenerateBody,
    request: Request,
    gateway: GatewayParts,
    identity: WhoCalls,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The prompt goes to the model as it is; the answer comes as in /api/chat, without a session."""
    ask = body.ask(_model(gateway, body.model, "chat"))
    asked = asked_of(gateway, identity, ask, body, idempotency_key)
    return await _told(gateway, asked, request, is_stream=body.stream)


@router.get(
    "/models",
    summary="List the models, and which of them are loaded",
    responses=answers(MODELS),
)
async def models(gateway: GatewayParts, _identity: WhoCalls) -> NativeModelsBody:
    """`loaded`: a worker holds it now. One that is not is loaded when somebody asks for it."""
    held = {name for worker in await gateway.jobs.workers() for name in worker.held_models}
    return NativeModelsBody(
        models=[
            NativeModelBody(
                name=entry.name,
                kind=entry.kind,
                context_length=entry.context_length,
                description=entry.description,
                loaded=entry.name in held,
            )
            for entry in gateway.catalogue.all()
        ]
    )


@router.post(
    "/embeddings",
    summary="Turn texts into vectors, in the native form",
    responses=answers(VECTORS),
)
async def embeddings(
    body: NativeEmbeddingsBody, gateway: GatewayParts, identity: WhoCalls
) -> NativeEmbeddingsAnswerBody:
    """As /v1/embeddings, with nothing around the vectors. Without `model` the catalogue's first embedding model."""
    require_writer(identity)
    model = _model(gateway, body.model, "embedding")
    answer = await gateway.embeddings.embed(EmbeddingsBody(model=model, input=body.input))
    told = EmbeddingsResponseBody.model_validate(orjson.loads(answer.content))
    vectors = [each.embedding for each in told.data if isinstance(each.embedding, list)]
    return NativeEmbeddingsAnswerBody(model=model, embeddings=vectors, prompt_tokens=told.usage.prompt_tokens)


async def _told(gateway: Gateway, asked: Asked, request: Request, *, is_stream: bool) -> Response:
    caller = Caller(request.receive)
    running = await gateway.completions.start(asked, caller)
    if is_stream:
        return event_stream(gateway, running, NativeStream(running.heading, after_seq=running.after_seq))
    answer = await gateway.completions.whole(running, WholeNative(running.heading), caller)
    return Response(answer, media_type="application/json", headers=running.headers())


async def _new_session(gateway: Gateway, identity: Identity) -> str:
    answer = await gateway.sessions.sessions("POST", "", identity.tenant_id, body=CreateSessionBody())
    return SessionBody.model_validate_json(answer.content).id


def _model(gateway: Gateway, name: str | None, kind: Literal["chat", "embedding"]) -> str:
    if name is not None:
        return name
    for entry in gateway.catalogue.all():
        if entry.kind == kind:
            return entry.name
    raise ModelNotFoundError(f"This server has no {kind} model.", param="model")
