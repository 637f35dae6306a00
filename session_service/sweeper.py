"""The sweeper: ends turns that nobody else will end, so that their sessions become usable again."""

import asyncio

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from session_service.cancellation import is_cancelled
from session_service.database import Database
from session_service.replies import text_of
from session_service.repository import turns as turn_rows
from session_service.settings import SessionSettings
from session_service.tables import TurnTable
from session_service.turns import finish_turn, give_up_turn
from shared.errors import JobExpiredError, JobNotFoundError, UnavailableError, UpstreamError
from shared.ledger import AsyncLedger

_log = structlog.get_logger(__name__)

DEADLINE_GRACE_S = 30
"""Past its deadline a job is ended by a worker's reaper; after this long no worker is left to do it."""

TURNS_PER_SWEEP = 500


class Sweeper:
    """Several may run at once: the first to end a turn has ended it. While Redis is away it touches nothing."""

    def __init__(self, client: redis.asyncio.Redis, ledger: AsyncLedger, database: Database, settings: SessionSettings):
        self._client = client
        self._ledger = ledger
        self._database = database
        self._interval_s = settings.sweep_interval_s
        self._accept_grace_s = settings.accept_grace_s

    async def run(self) -> None:
        """Sweep until cancelled."""
        while not is_cancelled():
            await asyncio.sleep(self._interval_s)
            try:
                await self.sweep()
            except (RedisError, OSError, UnavailableError) as error:
                _log.warning("sweep_postponed", reason=type(error).__name__)
            except Exception as error:
                _log.error("sweep_failed", exc_info=error)

    async def sweep(self) -> None:
        """End every pending turn that has no job, or whose job is long past its deadline.

        Raises redis.exceptions.RedisError, UnavailableError.
        """
        async with self._database.transaction() as tx:
            pending = await turn_rows.pending_for(tx, self._accept_grace_s, TURNS_PER_SWEEP)
        for turn in pending:
            try:
                job = await self._ledger.status(turn.id, turn.tenant_id)
            except (JobNotFoundError, JobExpiredError):
                await self._give_up(turn)
                continue
            # A final job is the outbox's, however late: its entry may still wait for Postgres.
            if not job.is_final and await self._now_ms() > job.deadline_ms + DEADLINE_GRACE_S * 1000:
                await self._fail(turn)

    async def _give_up(self, turn: TurnTable) -> None:
        async with self._database.transaction() as tx:
            if await give_up_turn(tx, turn.id):
                _log.warning("turn_without_job_failed", job_id=turn.id, tenant_id=turn.tenant_id)

    async def _fail(self, turn: TurnTable) -> None:
        """End the turn with the text that there is."""
        try:
            text = text_of(await self._ledger.read_log(turn.id))
        except UpstreamError:
            text = ""
        async with self._database.transaction() as tx:
            await finish_turn(
                tx,
                tenant_id=turn.tenant_id,
                session_id=turn.session_id,
                turn_id=turn.id,
                state="failed",
                finish_reason="error",
                text=text,
                tokens=0,
            )
        _log.warning("turn_past_deadline_failed", job_id=turn.id, tenant_id=turn.tenant_id)

    async def _now_ms(self) -> int:
        seconds, micros = await self._client.time()
        return int(seconds) * 1000 + int(micros) // 1000
