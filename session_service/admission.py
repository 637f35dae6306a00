"""Admission: begins a turn, after the end of the one before it has been stored."""

from session_service.arrears import Arrears
from session_service.database import Database
from session_service.opening import begin_turn
from session_service.token_counter import TokenCounter
from shared.bodies.turns import BeginTurnBody, BegunTurnBody
from shared.errors import SessionBusyError

CANCELLED_WAIT_S = 1.0
"""A cancelled job ends within a step of its batch; who has cancelled a turn means to begin the next at once."""


class Admission:
    """Lets one turn at a time into a session."""

    def __init__(self, database: Database, arrears: Arrears, counter: TokenCounter):
        self._database = database
        self._arrears = arrears
        self._counter = counter

    async def begin(self, body: BeginTurnBody) -> BegunTurnBody:
        """As opening.begin_turn, whose errors it raises; besides those UnavailableError.

        SessionBusyError only while the job of the turn before is under way: what has ended is stored first.
        """
        try:
            return await self._begin(body)
        except SessionBusyError:
            has_ended = await self._arrears.settle(
                body.tenant_id,
                session_id=body.session_id,
                turn_id=body.parent_turn_id,
                patience_s=CANCELLED_WAIT_S,
            )
            if not has_ended:
                raise
        return await self._begin(body)

    async def _begin(self, body: BeginTurnBody) -> BegunTurnBody:
        async with self._database.transaction() as tx:
            return await begin_turn(tx, body, self._counter)
