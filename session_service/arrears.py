"""Arrears: turns whose jobs have ended and which the outbox has not come to yet, stored by whoever needs them now.

The ledger has all that the outbox entry says, and storing an outcome twice changes nothing: so a caller who has seen
the end of a turn never waits for the outbox, however far behind it is.
"""

import asyncio

from redis.exceptions import RedisError

from session_service.database import Database
from session_service.outcomes import outcome_of, store_outcomes
from session_service.repository.turns import find_pending
from session_service.tables import TurnTable
from shared.errors import JobExpiredError, JobNotFoundError, UnavailableError
from shared.ledger import AsyncLedger, JobStatus, OutboxEntry

POLL_S = 0.05


class Arrears:
    """One for the whole service."""

    def __init__(self, ledger: AsyncLedger, database: Database, *, ledger_timeout_s: float):
        self._ledger = ledger
        self._database = database
        self._ledger_timeout_s = ledger_timeout_s

    async def settle(
        self, tenant_id: str, *, session_id: str | None = None, turn_id: str | None = None, patience_s: float = 0.0
    ) -> bool:
        """Store the end of the session's pending turn, or of that turn; False if it has not ended.

        A job that is being cancelled is waited for, up to `patience_s`. Raises UnavailableError when the ledger or
        Postgres does not answer.
        """
        async with self._database.transaction() as tx:
            turn = await find_pending(tx, tenant_id, session_id=session_id, turn_id=turn_id)
        if turn is None:
            return True
        try:
            entry = await self._final_entry(turn, patience_s)
            if entry is None:
                return False
            async with asyncio.timeout(self._ledger_timeout_s):
                outcome = await outcome_of(self._ledger, entry)
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("The job ledger cannot be reached; try again shortly.") from error
        await store_outcomes(self._database, [outcome])
        return True

    async def _final_entry(self, turn: TurnTable, patience_s: float) -> OutboxEntry | None:
        give_up_at = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                async with asyncio.timeout(self._ledger_timeout_s):
                    status = await self._ledger.status(turn.id, turn.tenant_id)
            except (JobNotFoundError, JobExpiredError):
                return None  # not accepted yet, or never: the sweeper's
            if status.is_final:
                return _entry_of(status, turn)
            if not status.cancel or asyncio.get_running_loop().time() > give_up_at:
                return None
            await asyncio.sleep(POLL_S)


def _entry_of(status: JobStatus, turn: TurnTable) -> OutboxEntry:
    return OutboxEntry(
        job_id=status.job_id,
        tenant_id=turn.tenant_id,
        key_id=status.key_id,
        model=status.model,
        session_id=turn.session_id,
        state=status.state,
        finish_reason=status.finish_reason or "error",
        usage=status.usage,
        last_seq=status.seq,
        accepted_ms=status.accepted_ms,
        finished_ms=status.finished_ms or status.accepted_ms,
        error=None,
    )
