"""From a chat request to the job that a worker can run: model, session's turn, and the check that the prompt fits."""

import hashlib
from dataclasses import dataclass, field
from time import time
from typing import Literal
from uuid import uuid4

import orjson

from gateway.bodies.chat import ChatCompletionBody
from gateway.house_rules import HouseRules
from gateway.prompt_bound import prompt_tokens_bound
from gateway.sessions_client import SessionsClient
from shared.bodies.keys import Identity
from shared.bodies.messages import Message
from shared.bodies.turns import BeginTurnBody, Truncation
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import BadRequestError, ContextLengthExceededError
from shared.job import GenerateJob
from shared.ledger import Idempotency


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and who asks. `timeout_s` is its deadline; `created` in seconds since the epoch."""

    identity: Identity
    body: ChatCompletionBody
    timeout_s: float
    idempotency_key: str | None = None
    traceparent: str | None = None
    created: int = field(default_factory=lambda: int(time()))

    @property
    def on_disconnect(self) -> Literal["cancel", "detach"]:
        """Who sends an Idempotency-Key means to come back."""
        return "cancel" if self.idempotency_key is None else "detach"

    @property
    def idempotency(self) -> Idempotency | None:
        """For the ledger; a session's turn keeps its request id in Postgres instead."""
        if self.idempotency_key is None or self.body.session_id is not None:
            return None
        return Idempotency(self.idempotency_key, self.body_hash)

    @property
    def body_hash(self) -> str:
        said = self.body.model_dump(exclude_unset=True)
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages that go to the model. `tokens` is None until somebody has counted."""

    job_id: str
    messages: tuple[Message, ...]
    tokens: int | None = None
    truncation: Truncation | None = None
    is_turn: bool = False
    is_replay: bool = False
    is_open: bool = True


class Prompts:
    """Makes prompts and jobs of requests."""

    def __init__(self, catalogue: Catalogue, sessions: SessionsClient, rules: HouseRules, *, resume_grace_s: float):
        self._catalogue = catalogue
        self._sessions = sessions
        self._rules = rules
        self._resume_grace_s = resume_grace_s

    async def prepare(self, asked: Asked) -> Prompt:
        """The request's own messages, or in a session those of the new turn.

        Raises ModelNotFoundError, BadRequestError, and what the session service refuses a turn with.
        """
        self._rules.check(asked.body)
        self._chat_model(asked.body.model)
        messages = [message.as_message() for message in asked.body.messages]
        if asked.body.session_id is None:
            return Prompt(uuid4().hex, tuple(messages))
        begun = await self._sessions.begin_turn(
            BeginTurnBody(
                tenant_id=asked.identity.tenant_id,
                session_id=asked.body.session_id,
                request_id=asked.idempotency_key or uuid4().hex,
                body_hash=asked.body_hash,
                model=asked.body.model,
                messages=messages,
                max_tokens=asked.body.token_limit,
            )
        )
        return Prompt(
            begun.turn_id,
            tuple(begun.messages),
            tokens=begun.prompt_tokens,
            truncation=begun.truncation,
            is_turn=True,
            is_replay=begun.is_replay,
            is_open=begun.state == "pending",
        )

    async def job(self, asked: Asked, prompt: Prompt) -> GenerateJob:
        """The job for a prompt that leaves room for an answer. Raises ContextLengthExceededError."""
        entry = self._chat_model(asked.body.model)
        limit = asked.body.token_limit
        return GenerateJob(
            id=prompt.job_id,
            tenant_id=asked.identity.tenant_id,
            key_id=asked.identity.key_id,
            model=entry.name,
            model_digest=entry.sha256,
            messages=prompt.messages,
            sampling=asked.body.sampling(),
            max_tokens=None if limit is None else min(limit, entry.context_length),
            stop=tuple(asked.body.stop or ()),
            n=asked.body.n or 1,
            top_logprobs=asked.body.wanted_logprobs,
            constraint=asked.body.constraint,
            priority=asked.body.priority,
            session_id=asked.body.session_id,
            prompt_tokens_bound=await self._bound(entry, prompt),
            timeout_s=asked.timeout_s,
            on_disconnect=asked.on_disconnect,
            resume_grace_s=self._resume_grace_s,
            traceparent=asked.traceparent,
        )

    async def abort(self, prompt: Prompt, tenant_id: str) -> None:
        """Undo the turn of a prompt whose job was not accepted; nothing without a turn."""
        if prompt.is_turn:
            await self._sessions.abort_turn(prompt.job_id, tenant_id)

    async def _bound(self, entry: ModelEntry, prompt: Prompt) -> int:
        """An upper bound of the prompt's tokens: counted by the session service only where bytes leave a doubt."""
        bound = prompt.tokens if prompt.tokens is not None else prompt_tokens_bound(prompt.messages)
        if bound < entry.context_length:
            return bound
        tokens = await self._sessions.count_prompt_tokens(entry.name, list(prompt.messages))
        if tokens >= entry.context_length:
            raise ContextLengthExceededError(
                f"This model's context is {entry.context_length} tokens; the prompt has {tokens} and leaves no room "
                "for an answer. Shorten the messages.",
                param="messages",
            )
        return tokens

    def _chat_model(self, name: str) -> ModelEntry:
        entry = self._catalogue.get(name)
        if entry.kind != "chat":
            raise BadRequestError(f"'{name}' is an embedding model; POST /v1/embeddings takes it.", param="model")
        return entry
