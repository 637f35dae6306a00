"""Routes about prompts that belong to no session."""

import asyncio

from fastapi import APIRouter

from session_service.routes.dependencies import PartsOfApp
from shared.bodies.turns import CountTokensBody, TokenCountBody

router = APIRouter(prefix="/internal/prompts")


@router.post("/count")
async def count(body: CountTokensBody, parts: PartsOfApp) -> TokenCountBody:
    prompt_tokens = await asyncio.to_thread(parts.counter.count_prompt, body.model, body.messages, body.tools)
    return TokenCountBody(prompt_tokens=prompt_tokens)
