"""A request's whole story: turn, bound, accept, hint, follow."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import structlog
from structlog.contextvars import bind_contextvars

from gateway.ask import Asked
from gateway.attendance import Attendance
from gateway.auth import require_writer
from gateway.background import Background
from gateway.caller import Caller, CallerGoneError
from gateway.follow import Ended, Follower
from gateway.heartbeat import Heartbeat
from gateway.hints import Hints
from gateway.jobs import Jobs
from gateway.meter import StreamMeter
from gateway.prompt import Prompt, Prompts
from gateway.running import Running, Runs
from gateway.surface import StreamSurface, WholeSurface
from shared.bodies.keys import Identity
from shared.errors import (
    DroverError,
    JobExpiredError,
    JobNotFoundError,
    QueueFullError,
    SessionBusyError,
    UnavailableError,
    error_from_body,
)
from shared.ledger import Accepted
from shared.telemetry import traces

EARLIER_ACCEPT_WAIT_S = 2.0
"""The request that began a turn has its job accepted within this, or it never will."""

EARLIER_ACCEPT_POLL_S = 0.05

REPLAY_EXPIRED = "The request with this Idempotency-Key was answered, and its answer is gone; ask with a new key."
TURN_EXPIRED = "The turn with this Idempotency-Key is over; GET /v1/sessions/{id}/messages has its reply."

ABORT_WAIT_S = 0.2
"""A refusal waits no longer for its turn to be free: where Redis is away the caller is to know within a second."""

log = structlog.get_logger()


class Completions:
    """Starts jobs, follows them, and cancels them when their caller leaves."""

    def __init__(
        self,
        prompts: Prompts,
        runs: Runs,
        jobs: Jobs,
        hints: Hints,
        follower: Follower,
        attendance: Attendance,
        meter: StreamMeter,
        background: Background,
        *,
        ping_interval_s: float,
    ):
        self._prompts = prompts
        self._runs = runs
        self._jobs = jobs
        self._hints = hints
        self._follower = follower
        self._attendance = attendance
        self._meter = meter
        self._background = background
        self._ping_interval_s = ping_interval_s

    async def start(self, asked: Asked, caller: Caller) -> Running:
        """Bring the request to a job in the ledger: only after this may the caller get a 200.

        Raises every error of admission, and CallerGoneError; the start itself then runs to its end and is undone.
        """
        starting = self._background.spawn(self._start(asked), "start", is_awaited=True)
        try:
            running = await caller.wait_for(starting)
        except CallerGoneError:
            self._background.spawn(self._undo(starting), "undo_start")
            raise
        _name(running)
        return running

    async def resume(self, job_id: str, identity: Identity, after_seq: int, *, has_usage: bool) -> Running:
        """Go on with a job after the token `after_seq`. Raises JobNotFoundError, JobExpiredError."""
        status = await self._jobs.status(job_id, identity.tenant_id)
        running = self._runs.attached(status, identity, after_seq=after_seq, has_usage=has_usage)
        _name(running)
        return running

    async def frames(self, running: Running, surface: StreamSurface) -> AsyncGenerator[bytes, None]:
        """The job as SSE: the surface's frames, and comments meanwhile; b"" where there is nothing to say."""
        with self._attendance.reading(running.followed.job_id, is_return=running.is_return):
            try:
                async with aclosing(self._told(running, surface)) as chunks:
                    async for data in chunks:
                        yield data
            except Exception as error:  # whatever it is, the caller must learn that the stream has ended
                self.give_up(running)
                if not isinstance(error, DroverError):
                    log.error("stream_failed", exc_info=error)
                yield surface.failed(error if isinstance(error, DroverError) else DroverError())

    async def whole(self, running: Running, surface: WholeSurface, caller: Caller) -> bytes:
        """The job's answer in one piece. Raises what the job failed with, DeadlineExceededError, CallerGoneError."""
        collecting = asyncio.create_task(self._collect(running, surface))
        try:
            return await caller.wait_for(collecting)
        except CallerGoneError:
            self.give_up(running)
            raise
        except DroverError as error:
            self.give_up(running)
            error.headers |= running.headers()
            raise
        finally:
            collecting.cancel()

    def give_up(self, running: Running) -> None:
        """The caller has left: cancel the job unless its caller may come back or others read it. Returns at once."""
        if running.is_cancelled_with_caller:
            self._attendance.starter_left(running.followed.job_id, running.followed.tenant_id)

    async def _told(self, running: Running, surface: StreamSurface) -> AsyncGenerator[bytes, None]:
        followed, model = running.followed, running.heading.model
        if surface.needs_all:
            followed = replace(followed, after_seq=0)
        opening = surface.opening()
        heartbeat = Heartbeat(self._jobs, followed.job_id, followed.tenant_id, model, interval_s=self._ping_interval_s)
        with self._meter.following(model, is_return=running.is_return) as timer:
            async with aclosing(self._follower.batches(followed)) as batches:
                async for batch in batches:
                    if isinstance(batch, Ended):
                        yield opening + _ending(surface, batch)
                    elif batch:
                        timer.tokens_came()
                        heartbeat.flowed()
                        yield opening + surface.tokens(batch)
                        opening = b""
                    else:
                        yield await heartbeat.comment()

    async def _start(self, asked: Asked) -> Running:
        require_writer(asked.identity)
        prompt = await self._prompts.prepare(asked)
        if prompt.is_replay:
            return await self._earlier(asked, prompt)
        try:
            job = await self._prompts.job(asked, prompt)
            with traces.span("accept"):
                accepted = await self._jobs.accept(job, asked.identity.limits, asked.idempotency)
        except DroverError as error:
            await self._withdraw(asked, prompt, error)
            raise
        if accepted.job_id != job.id:
            return await self._attach(accepted, asked)
        self._hints.send(job.id, job.model, job.priority)
        return self._runs.new(asked, prompt, accepted)

    async def _earlier(self, asked: Asked, prompt: Prompt) -> Running:
        """The job of a turn that was begun before. Raises SessionBusyError if it does not come to the ledger soon."""
        give_up_at = asyncio.get_running_loop().time() + EARLIER_ACCEPT_WAIT_S
        while True:
            try:
                status = await self._jobs.status(prompt.job_id, asked.identity.tenant_id)
            except JobExpiredError:
                raise _over(prompt) from None
            except JobNotFoundError:
                if not prompt.is_open:
                    raise _over(prompt) from None
                if asyncio.get_running_loop().time() > give_up_at:
                    raise SessionBusyError() from None  # its gateway died; the session service will free the turn
                await asyncio.sleep(EARLIER_ACCEPT_POLL_S)
            else:
                return self._runs.attached(status, asked.identity, ask=asked.ask)

    async def _attach(self, accepted: Accepted, asked: Asked) -> Running:
        try:
            status = await self._jobs.status(accepted.job_id, asked.identity.tenant_id)
        except JobExpiredError:
            raise JobExpiredError(REPLAY_EXPIRED) from None
        return self._runs.attached(status, asked.identity, ask=asked.ask, usage=accepted.usage)

    async def _collect(self, running: Running, surface: WholeSurface) -> bytes:
        followed = running.followed
        with (
            self._attendance.reading(followed.job_id, is_return=running.is_return),
            self._meter.following(running.heading.model, is_return=running.is_return) as timer,
        ):
            async with aclosing(self._follower.batches(followed)) as batches:
                async for batch in batches:
                    if isinstance(batch, Ended):
                        if batch.final.error is not None:
                            raise error_from_body({"error": batch.final.error})
                        return surface.answer(batch)
                    if batch:
                        timer.tokens_came()
                        surface.add(batch)
        raise DroverError("The job's stream ended without a last word.")

    async def _undo(self, starting: "asyncio.Task[Running]") -> None:
        try:
            running = await starting
        except DroverError:
            return  # nothing was accepted
        self.give_up(running)

    async def _withdraw(self, asked: Asked, prompt: Prompt, error: DroverError) -> None:
        """Nothing was accepted: the turn must be free before the caller hears so and comes again."""
        if isinstance(error, UnavailableError) and not isinstance(error, QueueFullError):
            # After a time-out the ledger may have the job all the same.
            self._background.spawn(self._jobs.cancel(prompt.job_id, asked.identity.tenant_id), "withdraw")
        aborting = self._background.spawn(self._abort(prompt, asked.identity.tenant_id), "abort")
        await asyncio.wait({aborting}, timeout=ABORT_WAIT_S)

    async def _abort(self, prompt: Prompt, tenant_id: str) -> None:
        try:
            await self._prompts.abort(prompt, tenant_id)
        except DroverError as failure:
            log.warning("turn_not_aborted", job_id=prompt.job_id, error=failure.message)  # its sweeper will find it


def _name(running: Running) -> None:
    """Say in this request's trace and log lines which job it is about."""
    job_id, session_id = running.followed.job_id, running.heading.session_id
    bind_contextvars(job_id=job_id, tenant_id=running.followed.tenant_id)
    session = {traces.SESSION_ID: session_id} if session_id else {}
    traces.describe({traces.JOB_ID: job_id, "gen_ai.request.model": running.heading.model, **session})


def _over(prompt: Prompt) -> JobExpiredError:
    """Its headers name the turn, so that who tells it from what is stored can find it."""
    error = JobExpiredError(TURN_EXPIRED)
    error.headers["x-job-id"] = prompt.job_id
    return error


def _ending(surface: StreamSurface, ended: Ended) -> bytes:
    if ended.final.error is not None:
        return surface.failed(error_from_body({"error": ended.final.error}))
    return surface.closing(ended)
