"""Routes that turn text into a model's tokens, and back."""

import asyncio

from fastapi import APIRouter

from session_service.routes.dependencies import PartsOfApp
from session_service.token_counter import TokenCounter
from shared.bodies.tokens import DetokenizeBody, InfillBody, TextBody, TokenizeBody, TokensBody

router = APIRouter(prefix="/internal/tokens")


@router.post("")
async def tokenize(body: TokenizeBody, parts: PartsOfApp) -> TokensBody:
    return await asyncio.to_thread(_tokens, parts.counter, body)


@router.post("/text")
async def detokenize(body: DetokenizeBody, parts: PartsOfApp) -> TextBody:
    return TextBody(text=await asyncio.to_thread(_text, parts.counter, body))


@router.post("/infill")
async def infill(body: InfillBody, parts: PartsOfApp) -> TokensBody:
    return await asyncio.to_thread(_infill, parts.counter, body)


def _tokens(counter: TokenCounter, body: TokenizeBody) -> TokensBody:
    vocabulary = counter.vocabulary(body.model)
    if body.text is None:
        tokens = vocabulary.prompt(body.messages, body.tools)
    else:
        tokens = vocabulary.tokens(body.text, with_special=body.adds_special, parses_special=body.parses_special)
    pieces = [piece.decode("latin-1") for piece in vocabulary.pieces(tokens)] if body.with_pieces else None
    return TokensBody(tokens=tokens, pieces=pieces)


def _text(counter: TokenCounter, body: DetokenizeBody) -> str:
    return counter.vocabulary(body.model).text(body.tokens)


def _infill(counter: TokenCounter, body: InfillBody) -> TokensBody:
    return TokensBody(tokens=counter.vocabulary(body.model).infill(body.prefix, body.suffix))
