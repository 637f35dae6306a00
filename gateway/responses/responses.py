"""Responses: begin one, read it, follow it, cancel it, delete it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from gateway.ask import Asked
from gateway.caller import Caller
from gateway.completion import Completions
from gateway.jobs import Jobs
from gateway.responses.body import no_conversation, no_previous
from gateway.responses.document import Described, Status
from gateway.responses.identifiers import turn_id_of
from gateway.responses.item_pages import ItemPage, listed
from gateway.responses.stored import stored_document
from gateway.responses.stream import FROM_THE_BEGINNING, ResponseStream
from gateway.responses.whole import WholeResponse
from gateway.running import Running
from gateway.sessions_client import SessionsClient
from shared.bodies.keys import Identity
from shared.bodies.stored_turns import TurnBody
from shared.errors import (
    BadRequestError,
    DroverError,
    JobExpiredError,
    JobNotFoundError,
    NotFoundError,
    SessionNotFoundError,
    UnavailableError,
)

CANCEL_WAIT_S = 1.0
"""A cancelled job ends within a step of its batch; who cancels wants to see that."""

CANCEL_POLL_S = 0.02

PLACES = {"messages": "input", "max_tokens": "max_output_tokens", "request": "input"}
"""Our names of fields in errors of the session service, and OpenAI's."""


@dataclass(frozen=True, slots=True)
class Live:
    """A response whose job is in the ledger."""

    running: Running
    described: Described


@dataclass(frozen=True, slots=True)
class Over:
    """A response that has ended so long ago that only what is stored of it is left."""

    turn: TurnBody


class Responses:
    """OpenAI's responses on Drover's turns and jobs."""

    def __init__(self, completions: Completions, sessions: SessionsClient, jobs: Jobs):
        self._completions = completions
        self._sessions = sessions
        self._jobs = jobs

    async def begin(self, asked: Asked, caller: Caller) -> Live | Over:
        """The response that is asked for, or the one that the same Idempotency-Key has begun before.

        Raises every error of admission in a response's own words, and CallerGoneError.
        """
        tenant_id = asked.identity.tenant_id
        try:
            running = await self._completions.start(asked, caller)
        except JobExpiredError as error:
            if "x-job-id" not in error.headers:
                raise
            return Over(await self._sessions.turn(error.headers["x-job-id"], tenant_id))
        except DroverError as error:
            raise _in_own_words(error, asked) from error
        ask, turn_id = asked.ask, running.followed.job_id
        if running.is_return and ask.turn is not None and ask.turn.is_stored:
            return self._live(running, Described.of_turn(await self._sessions.turn(turn_id, tenant_id)))
        return self._live(running, Described.of_ask(turn_id, ask, running.heading.truncation))

    async def resume(self, response_id: str, identity: Identity, *, after: int) -> Live | Over:
        """A stored response to be followed. Raises NotFoundError; JobExpiredError if `after` needs what is gone."""
        turn = await self._turn(response_id, identity.tenant_id)
        try:
            running = await self._completions.resume(turn.id, identity, 0, has_usage=False)
        except (JobExpiredError, JobNotFoundError):
            if turn.state == "pending":
                raise
            if after != FROM_THE_BEGINNING:
                raise JobExpiredError(
                    "The response ended too long ago for its stream to be taken up; read it without stream, or "
                    "without starting_after.",
                    param="starting_after",
                ) from None
            return Over(turn)
        return self._live(running, Described.of_turn(turn))

    async def of_job(self, running: Running, tenant_id: str) -> Live:
        """The response that a job makes, stored or not."""
        turn_id = running.followed.job_id
        try:
            turn = await self._sessions.turn(turn_id, tenant_id)
        except NotFoundError:
            return self._live(running, Described.unknown(turn_id, running.heading.model))
        return self._live(running, Described.of_turn(turn))

    async def frames(self, live: Live, *, after: int = FROM_THE_BEGINNING) -> AsyncGenerator[bytes, None]:
        """The response as SSE, from the event after `after` on; comments meanwhile."""
        stream = ResponseStream(live.described, live.running.heading.form, after=after)
        yield stream.created()
        async with aclosing(self._completions.frames(live.running, stream)) as frames:
            async for data in frames:
                yield data

    async def whole(self, live: Live, caller: Caller) -> bytes:
        """The response when it has ended. Raises what its job failed with, CallerGoneError."""
        surface = WholeResponse(live.described, live.running.heading.form)
        return await self._completions.whole(live.running, surface, caller)

    async def retrieve(self, response_id: str, tenant_id: str) -> dict[str, Any]:
        """The response as it stands. Raises NotFoundError."""
        turn = await self._turn(response_id, tenant_id)
        if turn.state != "pending":
            return stored_document(turn)
        return stored_document(turn, await self._standing(turn, tenant_id))

    async def cancel(self, response_id: str, tenant_id: str) -> dict[str, Any]:
        """Cancel a background response; one that has ended stays as it is. Raises NotFoundError, BadRequestError."""
        turn = await self._turn(response_id, tenant_id)
        if not Described.of_turn(turn).is_background:
            raise BadRequestError("Only background responses can be cancelled; to end another, close its connection.")
        if turn.state == "pending":
            with suppress(JobNotFoundError, JobExpiredError):
                await self._jobs.cancel(turn.id, tenant_id)
                await self._wait_for_end(turn.id, tenant_id)
        return await self.retrieve(response_id, tenant_id)

    async def delete(self, response_id: str, tenant_id: str) -> dict[str, Any]:
        """Forget it, and cancel it if it has not ended. A conversation keeps its messages. Raises NotFoundError."""
        turn = await self._turn(response_id, tenant_id)
        if turn.state == "pending":
            with suppress(JobNotFoundError, JobExpiredError):
                await self._jobs.cancel(turn.id, tenant_id)
        await self._sessions.delete_turn(turn.id, tenant_id)
        return {"id": response_id, "object": "response", "deleted": True}

    async def input_items(self, response_id: str, tenant_id: str, page: ItemPage) -> dict[str, Any]:
        """What the response began with, without the history before it. Raises NotFoundError."""
        turn = await self._turn(response_id, tenant_id)
        return await listed(page, lambda params: self._sessions.turn_inputs(turn.id, tenant_id, params))

    def _live(self, running: Running, described: Described) -> Live:
        """Nobody is told the session of a response outside every conversation."""
        if described.request.get("conversation") is None:
            running = replace(running, heading=replace(running.heading, session_id=None))
        return Live(running, described)

    async def _turn(self, response_id: str, tenant_id: str) -> TurnBody:
        missing = NotFoundError(f"Response with id '{response_id}' not found.")
        turn_id = turn_id_of(response_id)
        if turn_id is None:
            raise missing
        try:
            turn = await self._sessions.turn(turn_id, tenant_id)
        except NotFoundError:
            raise missing from None
        if turn.request is None:  # another API's turn, or one whose response has been deleted
            raise missing
        return turn

    async def _standing(self, turn: TurnBody, tenant_id: str) -> Status:
        """Queued or in progress, as the ledger knows."""
        try:
            status = await self._jobs.status(turn.id, tenant_id)
        except JobNotFoundError:
            return "queued"  # it is being accepted
        except (JobExpiredError, UnavailableError):
            return "in_progress"
        return "queued" if status.state == "queued" else "in_progress"

    async def _wait_for_end(self, job_id: str, tenant_id: str) -> None:
        give_up_at = asyncio.get_running_loop().time() + CANCEL_WAIT_S
        while asyncio.get_running_loop().time() < give_up_at:
            if (await self._jobs.status(job_id, tenant_id)).is_final:
                return
            await asyncio.sleep(CANCEL_POLL_S)


def _in_own_words(error: DroverError, asked: Asked) -> DroverError:
    request = (asked.ask.turn.request if asked.ask.turn is not None else None) or {}
    if isinstance(error, SessionNotFoundError):
        return no_conversation(request["conversation"]["id"])
    if isinstance(error, NotFoundError) and error.param == "parent_turn_id":
        return no_previous(request["previous_response_id"])
    if error.param is not None:
        error.param = PLACES.get(error.param, error.param)
    return error
