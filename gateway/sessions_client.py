"""The gateway's calls to the session service."""

import httpx
from pydantic import BaseModel

from gateway.upstream import Upstream
from shared.bodies.keys import Identity, VerifyKeyBody
from shared.bodies.messages import Message
from shared.bodies.stored_messages import StoredMessageListBody
from shared.bodies.stored_turns import TurnBody
from shared.bodies.tokens import DetokenizeBody, InfillBody, TextBody, TokenizeBody, TokensBody
from shared.bodies.tools import Tool
from shared.bodies.turns import BeginTurnBody, BegunTurnBody, CountTokensBody, TokenCountBody

READY_TIMEOUT_S = 1.0
TENANT_HEADER = "X-Drover-Tenant"


class SessionsClient:
    """Keys, turns, token counts and stored conversations. Every method raises UnavailableError if nobody answers."""

    def __init__(self, upstream: Upstream, *, key_check_timeout_s: float):
        self._upstream = upstream
        self._key_check_timeout_s = key_check_timeout_s

    async def verify_key(self, api_key: str) -> Identity:
        """Who has this key. Raises AuthenticationError."""
        body = VerifyKeyBody(api_key=api_key)
        timeout_s = self._key_check_timeout_s
        answer = await self._upstream.call(
            "POST", "/internal/keys/verify", body=body, timeout_s=timeout_s, span="check key"
        )
        return Identity.model_validate_json(answer.content)

    async def begin_turn(self, body: BeginTurnBody) -> BegunTurnBody:
        """Raises SessionNotFoundError, SessionBusyError, IdempotencyMismatchError, ContextLengthExceededError."""
        answer = await self._upstream.call("POST", "/internal/turns", body=body, span="begin turn")
        return BegunTurnBody.model_validate_json(answer.content)

    async def abort_turn(self, turn_id: str, tenant_id: str | None = None) -> None:
        """Undo a turn that was begun and whose job was not accepted. Raises NotFoundError."""
        headers = {} if tenant_id is None else {TENANT_HEADER: tenant_id}
        await self._upstream.call("POST", f"/internal/turns/{turn_id}/abort", headers=headers, span="abort turn")

    async def turn(self, turn_id: str, tenant_id: str) -> TurnBody:
        """The turn as it stands; what its job has ended with is there. Raises NotFoundError."""
        answer = await self._upstream.call("GET", f"/internal/turns/{turn_id}", headers={TENANT_HEADER: tenant_id})
        return TurnBody.model_validate_json(answer.content)

    async def turn_inputs(self, turn_id: str, tenant_id: str, params: dict[str, str]) -> StoredMessageListBody:
        """A page of the messages that the turn began with. Raises NotFoundError."""
        path = f"/internal/turns/{turn_id}/inputs"
        answer = await self._upstream.call("GET", path, params=params, headers={TENANT_HEADER: tenant_id})
        return StoredMessageListBody.model_validate_json(answer.content)

    async def delete_turn(self, turn_id: str, tenant_id: str) -> None:
        """Delete a turn, or what a turn of a conversation repeats of its request. Raises NotFoundError."""
        await self._upstream.call("DELETE", f"/internal/turns/{turn_id}", headers={TENANT_HEADER: tenant_id})

    async def count_prompt_tokens(self, model: str, messages: list[Message], tools: tuple[Tool, ...] = ()) -> int:
        """Tokens of the whole prompt, template included, as the worker will see them."""
        body = CountTokensBody(model=model, messages=messages, tools=tools)
        answer = await self._upstream.call("POST", "/internal/prompts/count", body=body, span="count prompt")
        return TokenCountBody.model_validate_json(answer.content).prompt_tokens

    async def tokenize(self, body: TokenizeBody) -> TokensBody:
        """A text's or a prompt's tokens. Raises ModelNotFoundError."""
        answer = await self._upstream.call("POST", "/internal/tokens", body=body, span="tokenize")
        return TokensBody.model_validate_json(answer.content)

    async def detokenize(self, body: DetokenizeBody) -> str:
        """Raises ModelNotFoundError, BadRequestError."""
        answer = await self._upstream.call("POST", "/internal/tokens/text", body=body)
        return TextBody.model_validate_json(answer.content).text

    async def infill(self, body: InfillBody) -> list[int]:
        """A prompt to fill in between two texts. Raises BadRequestError where the model cannot."""
        answer = await self._upstream.call("POST", "/internal/tokens/infill", body=body)
        return TokensBody.model_validate_json(answer.content).tokens

    async def sessions(
        self,
        method: str,
        path: str,
        tenant_id: str,
        *,
        body: BaseModel | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Pass a public /v1/sessions call on; `path` is what follows it."""
        return await self._upstream.call(
            method,
            f"/internal/sessions{path}",
            body=body,
            params=params,
            headers={TENANT_HEADER: tenant_id},
            is_repeatable=method != "POST",  # a second POST would make a second session
        )

    async def check(self) -> None:
        """Raises UnavailableError when the session service is not ready."""
        await self._upstream.call("GET", "/readyz", timeout_s=READY_TIMEOUT_S)
