"""From what is asked to the job that a worker can run: model, turn, and the check that the prompt fits."""

from dataclasses import dataclass
from uuid import uuid4

from gateway.ask import Ask, Asked, TurnAsk
from gateway.house_rules import HouseRules
from gateway.prompt_bound import prompt_tokens_bound
from gateway.sessions_client import SessionsClient
from shared.bodies.messages import Message
from shared.bodies.tokens import TokenizeBody
from shared.bodies.turns import BeginTurnBody, Truncation
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import BadRequestError, ContextLengthExceededError
from shared.job import GenerateJob
from shared.telemetry import traces


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages that go to the model. `tokens` is None until somebody has counted.

    `session_id` is the session that keeps the reply, None where nothing is kept.
    """

    job_id: str
    messages: tuple[Message, ...]
    tokens: int | None = None
    truncation: Truncation | None = None
    session_id: str | None = None
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
        """The request's own messages, or those of its new turn.

        Raises ModelNotFoundError, BadRequestError, and what the session service refuses a turn with.
        """
        ask = asked.ask
        self._rules.check(ask)
        self._chat_model(ask.model)
        if ask.turn is None:
            return Prompt(uuid4().hex, ask.messages)
        begun = await self._sessions.begin_turn(_turn(asked, ask.turn))
        return Prompt(
            begun.turn_id,
            tuple(begun.messages),
            tokens=begun.prompt_tokens,
            truncation=begun.truncation,
            session_id=begun.session_id,
            is_replay=begun.is_replay,
            is_open=begun.state == "pending",
        )

    async def job(self, asked: Asked, prompt: Prompt) -> GenerateJob:
        """The job for a prompt that leaves room for an answer. Raises ContextLengthExceededError."""
        ask = asked.ask
        entry = self._chat_model(ask.model)
        return GenerateJob(
            id=prompt.job_id,
            tenant_id=asked.identity.tenant_id,
            key_id=asked.identity.key_id,
            model=entry.name,
            model_digest=entry.sha256,
            messages=prompt.messages,
            prompt=ask.prompt,
            sampling=ask.sampling,
            max_tokens=None if ask.max_tokens is None else min(ask.max_tokens, entry.context_length),
            stop=ask.stop,
            n=ask.choices,
            echo=ask.echo,
            top_logprobs=ask.top_logprobs,
            constraint=ask.constraint,
            tools=ask.tools,
            tool_choice=ask.tool_choice,
            parallel_tool_calls=ask.parallel_tool_calls,
            priority=ask.priority,
            session_id=prompt.session_id,
            prompt_tokens_bound=await self._bound(entry, ask, prompt),
            timeout_s=asked.timeout_s,
            on_disconnect=asked.on_disconnect,
            resume_grace_s=None if ask.is_background else self._resume_grace_s,
            form=ask.form,
            traceparent=traces.current_traceparent(),
        )

    async def abort(self, prompt: Prompt, tenant_id: str) -> None:
        """Undo the turn of a prompt whose job was not accepted; nothing without a turn."""
        if prompt.session_id is not None:
            await self._sessions.abort_turn(prompt.job_id, tenant_id)

    async def _bound(self, entry: ModelEntry, ask: Ask, prompt: Prompt) -> int:
        """An upper bound of the prompt's tokens: counted by the session service only where bytes leave a doubt."""
        bound = prompt.tokens
        if bound is None:
            bound = prompt_tokens_bound(prompt.messages, ask.prompt, ask.tools)
        if bound < entry.context_length:
            return bound
        tokens = await self._count(entry, ask, prompt)
        if tokens >= entry.context_length:
            param = "messages" if ask.prompt is None else "prompt"
            raise ContextLengthExceededError(
                f"This model's context is {entry.context_length} tokens; the prompt has {tokens} and leaves no room "
                f"for an answer. Shorten the {param}.",
                param=param,
            )
        return tokens

    async def _count(self, entry: ModelEntry, ask: Ask, prompt: Prompt) -> int:
        if ask.prompt is None:
            return await self._sessions.count_prompt_tokens(entry.name, list(prompt.messages), ask.tools)
        if isinstance(ask.prompt, str):
            body = TokenizeBody(model=entry.name, text=ask.prompt, adds_special=True)
            return len((await self._sessions.tokenize(body)).tokens)
        return len(ask.prompt)

    def _chat_model(self, name: str) -> ModelEntry:
        entry = self._catalogue.get(name)
        if entry.kind != "chat":
            raise BadRequestError(f"'{name}' is an embedding model; POST /v1/embeddings takes it.", param="model")
        return entry


def _turn(asked: Asked, turn: TurnAsk) -> BeginTurnBody:
    return BeginTurnBody(
        tenant_id=asked.identity.tenant_id,
        session_id=turn.session_id,
        request_id=asked.idempotency_key or uuid4().hex,
        body_hash=asked.body_hash,
        model=asked.ask.model,
        messages=list(asked.ask.messages),
        tools=asked.ask.tools,
        tool_names=asked.ask.form.tool_names,
        max_tokens=asked.ask.max_tokens,
        parent_turn_id=turn.parent_turn_id,
        instructions=turn.instructions,
        is_stored=turn.is_stored,
        truncation=turn.truncation,
        request=turn.request,
        metadata=turn.metadata,
    )
