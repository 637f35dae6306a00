"""POST /tokenize, POST /detokenize: a model's vocabulary, for those who count before they ask."""

from fastapi import APIRouter

from gateway.bodies.messages import as_messages
from gateway.bodies.tokens import (
    DetokenizeAnswerBody,
    DetokenizeRequestBody,
    PieceBody,
    TokenizeAnswerBody,
    TokenizeRequestBody,
)
from gateway.routes.answers import answers
from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.json_route import JsonRoute
from shared.bodies.tokens import DetokenizeBody, TokenizeBody

router = APIRouter(tags=["tokens"], route_class=JsonRoute)

TOKENS = {"tokens": [{"id": 39, "piece": "H"}, {"id": 301, "piece": "ello"}], "count": 2, "max_context": 1024}
TEXT = {"content": "Hel"}


@router.post(
    "/tokenize",
    summary="Turn a text or a chat into a model's tokens",
    responses=answers(TOKENS),
)
async def tokenize(body: TokenizeRequestBody, gateway: GatewayParts, _identity: WhoCalls) -> TokenizeAnswerBody:
    """The ids that a model sees. With `messages` those of the whole prompt, chat template and `tools` included."""
    entry = gateway.catalogue.get(body.model)
    answer = await gateway.sessions.tokenize(
        TokenizeBody(
            model=entry.name,
            text=body.content,
            messages=list(as_messages(body.messages or ())),
            tools=tuple(tool.as_tool() for tool in body.tools or ()),
            adds_special=body.add_special,
            parses_special=body.parse_special,
            with_pieces=body.with_pieces,
        )
    )
    pieces = zip(answer.tokens, answer.pieces or (), strict=False)
    tokens = [PieceBody.of(token, piece.encode("latin-1")) for token, piece in pieces] or answer.tokens
    return TokenizeAnswerBody(tokens=tokens, count=len(answer.tokens), max_context=entry.context_length)


@router.post(
    "/detokenize",
    summary="Turn a model's tokens into text",
    responses=answers(TEXT),
)
async def detokenize(body: DetokenizeRequestBody, gateway: GatewayParts, _identity: WhoCalls) -> DetokenizeAnswerBody:
    """The text of token ids, special tokens written out."""
    asked = DetokenizeBody(model=body.model, tokens=body.tokens)
    return DetokenizeAnswerBody(content=await gateway.sessions.detokenize(asked))
