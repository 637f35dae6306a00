"""Outcomes: what a job that became final leaves in Postgres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from session_service.database import Database, Transaction
from session_service.replies import text_of
from session_service.repository.usage import add_usage
from session_service.turns import finish_turn
from shared.bodies.turns import TurnState
from shared.errors import BadRequestError, UpstreamError
from shared.events import FinalEvent, TokensEvent
from shared.ledger import AsyncLedger, JobState, OutboxEntry

_log = structlog.get_logger(__name__)

_TURN_STATES: Mapping[JobState, TurnState] = {"done": "done", "cancelled": "cancelled"}
"""All other states that a job can end in are a failed turn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job that became final, with its whole text."""

    entry: OutboxEntry
    state: TurnState
    finish_reason: str
    text: str
    error: dict[str, Any] | None = None


async def outcome_of(ledger: AsyncLedger, entry: OutboxEntry) -> Outcome:
    """The entry with the text from the job's token log; a failed turn if the log has not all of it any more.

    Raises redis.exceptions.RedisError.
    """
    try:
        events = await ledger.read_log(entry.job_id)
    except UpstreamError:
        events = []
    text = text_of(events)
    if final := _whole_end(events, entry):
        return Outcome(entry, _TURN_STATES.get(entry.state, "failed"), entry.finish_reason, text, final.error)
    _log.error("token_log_incomplete", job_id=entry.job_id, tenant_id=entry.tenant_id)
    return Outcome(entry, "failed", "error", text)


async def store_outcomes(database: Database, outcomes: Sequence[Outcome]) -> None:
    """Commit all, in one transaction if possible; storing one again changes nothing.

    An outcome that cannot be stored for its content is stored as a failed turn. Raises UnavailableError.
    """
    try:
        await _store_together(database, outcomes)
    except BadRequestError:
        for outcome in outcomes:
            await _store_alone(database, outcome)


def _whole_end(events: Sequence[TokensEvent | FinalEvent], entry: OutboxEntry) -> FinalEvent | None:
    """The final event, if all tokens stand before it."""
    tokens = sum(len(event.token_ids) for event in events if isinstance(event, TokensEvent))
    last = events[-1] if events else None
    return last if isinstance(last, FinalEvent) and tokens == entry.last_seq else None


async def _store_together(database: Database, outcomes: Sequence[Outcome]) -> None:
    async with database.transaction() as tx:
        # In one order everywhere, so that two replicas with the same sessions do not wait for each other.
        for outcome in sorted(outcomes, key=lambda outcome: (outcome.entry.session_id or "", outcome.entry.job_id)):
            await _store(tx, outcome)


async def _store_alone(database: Database, outcome: Outcome) -> None:
    try:
        await _store_together(database, [outcome])
    except BadRequestError as error:
        _log.error("outcome_not_storable", job_id=outcome.entry.job_id, exc_info=error)
        await _store_together(database, [replace(outcome, state="failed", finish_reason="error", text="")])


async def _store(tx: Transaction, outcome: Outcome) -> None:
    entry = outcome.entry
    if entry.session_id is not None:
        await finish_turn(
            tx,
            tenant_id=entry.tenant_id,
            session_id=entry.session_id,
            turn_id=entry.job_id,
            state=outcome.state,
            finish_reason=outcome.finish_reason,
            text=outcome.text,
            tokens=entry.usage.completion_tokens,
            error=outcome.error,
        )
    await add_usage(
        tx,
        {
            "job_id": entry.job_id,
            "tenant_id": entry.tenant_id,
            "key_id": entry.key_id,
            "session_id": entry.session_id,
            "model": entry.model,
            "finish_reason": outcome.finish_reason,
            "prompt_tokens": entry.usage.prompt_tokens,
            "completion_tokens": entry.usage.completion_tokens,
            "cached_tokens": entry.usage.cached_tokens,
        },
    )
