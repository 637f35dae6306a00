"""Plays the service's neighbours: the gateway that begins turns, the worker that ends their jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import redis

from shared.bodies.keys import Limits
from shared.bodies.messages import Message
from shared.events import FinalEvent, FinishReason, TokensEvent, Usage
from shared.job import GenerateJob
from shared.ledger import AsyncLedger, Claimed, Ledger

MODEL = "small-chat"
ROOMY = "roomy-chat"
"""The same with a context of 1,024 tokens."""


@dataclass(frozen=True)
class Rows:
    """Looks into the tables past the service."""

    database_url: str

    def all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def run(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)


@dataclass(frozen=True)
class Turns:
    """The session's caller: begins turns as the gateway does, and ends their jobs as a worker does."""

    http: httpx.AsyncClient
    ledger: AsyncLedger
    redis_url: str
    tenant: str
    session_id: str

    @property
    def headers(self) -> dict[str, str]:
        """Who calls."""
        return {"X-Drover-Tenant": self.tenant}

    async def begin(self, *texts: str, **fields: Any) -> httpx.Response:
        messages = [{"role": "user", "content": text} for text in texts or ("Hello",)]
        body = {
            "tenant_id": self.tenant,
            "session_id": self.session_id,
            "request_id": uuid4().hex,
            "body_hash": "hash",
            "model": MODEL,
            "messages": messages,
            "max_tokens": 32,
        }
        return await self.http.post("/internal/turns", json={**body, **fields})

    async def accept(
        self, turn_id: str, *, session_id: str | None = None, timeout_s: float = 60, traceparent: str | None = None
    ) -> None:
        job = GenerateJob(
            id=turn_id,
            tenant_id=self.tenant,
            key_id="key",
            model=MODEL,
            model_digest="",
            messages=(Message(role="user", content="Hello"),),
            session_id=session_id,
            timeout_s=timeout_s,
            traceparent=traceparent,
        )
        await self.ledger.accept(job, Limits(), max_queued_jobs=100)

    async def end_job(self, turn_id: str, texts: Sequence[str] = ("Hel", "lo"), reason: FinishReason = "stop") -> None:
        await self.finish(await self.claim(turn_id), texts, reason)

    async def claim(self, turn_id: str) -> Claimed:
        """A worker takes the job."""
        return await asyncio.to_thread(self._claim, turn_id)

    async def finish(self, claimed: Claimed, texts: Sequence[str], reason: FinishReason) -> None:
        """The worker says these tokens, and the end."""
        await asyncio.to_thread(self._finish, claimed, texts, reason)

    async def run(self, *texts: str, reply: Sequence[str] = ("Hel", "lo"), reason: FinishReason = "stop") -> str:
        """A whole turn up to the outbox; its id."""
        turn_id: str = (await self.begin(*texts)).json()["turn_id"]
        await self.accept(turn_id, session_id=self.session_id)
        await self.end_job(turn_id, reply, reason)
        return turn_id

    async def respond(self, *texts: str, parent: str | None = None, **fields: Any) -> httpx.Response:
        """Begin a turn outside every conversation."""
        return await self.begin(*texts, session_id=None, parent_turn_id=parent, **fields)

    async def responded(self, text: str, reply: str, parent: str | None = None) -> str:
        """A whole response up to the outbox; its id."""
        begun = (await self.respond(text, parent=parent)).json()
        await self.accept(begun["turn_id"], session_id=begun["session_id"])
        await self.end_job(begun["turn_id"], [reply])
        turn_id: str = begun["turn_id"]
        return turn_id

    async def read(self, turn_id: str) -> dict[str, Any]:
        """The turn as it stands."""
        answer = await self.http.get(f"/internal/turns/{turn_id}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        turn: dict[str, Any] = answer.json()
        return turn

    async def messages(self) -> list[dict[str, Any]]:
        answer = await self.http.get(
            f"/internal/sessions/{self.session_id}/messages", headers={"X-Drover-Tenant": self.tenant}
        )
        data: list[dict[str, Any]] = answer.json()["data"]
        return data

    def _claim(self, turn_id: str) -> Claimed:
        with redis.Redis.from_url(self.redis_url) as client:
            claimed = Ledger(client).claim(turn_id, worker_id="w", claim_id=uuid4().hex, lease_ms=60_000)
            assert isinstance(claimed, Claimed)
            return claimed

    def _finish(self, claimed: Claimed, texts: Sequence[str], reason: FinishReason) -> None:
        turn_id = claimed.job.id
        with redis.Redis.from_url(self.redis_url) as client:
            ledger = Ledger(client)
            count = len(texts)
            if texts:
                ledger.append([TokensEvent(turn_id, 1, claimed.epoch, list(range(count)), list(texts))])
            error = {"message": "broken", "code": "inference_error"} if reason == "error" else None
            answer = ledger.finish(FinalEvent(turn_id, count, claimed.epoch, reason, "", Usage(7, count, 3), error))
            assert answer == "ok"

    async def wait_until_stored(self, turn_id: str) -> None:
        async def is_stored() -> bool:
            return (await self.ledger.status(turn_id, self.tenant)).is_stored

        await eventually(is_stored)


async def eventually(is_true: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    """Poll until it is true; TimeoutError when that takes too long."""
    async with asyncio.timeout(timeout_s):
        while not await is_true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)
