"""A closed loop of streams: each asks again as soon as it has its answer, for so long or so often."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cli.bench.answers import StreamedAnswer
from cli.bench.client import BenchClient
from cli.bench.outcome import Outcome
from cli.bench.summary import Summary


@dataclass(frozen=True)
class Amount:
    """How much is asked: so many requests in all, or new ones for so long. One of the two is None."""

    requests: int | None = None
    seconds: float | None = None


@dataclass
class Step:
    """One number of streams, and what it has come to."""

    streams: int
    amount: Amount
    summary: Summary = field(default_factory=Summary)
    begun_s: float = 0.0
    """time.monotonic(); 0 before it begins."""
    _running: set[StreamedAnswer] = field(default_factory=set)
    _asked: int = 0

    @property
    def tokens_so_far(self) -> int:
        """With those of the answers that still run."""
        return self.summary.tokens + sum(answer.pieces for answer in self._running)

    @property
    def progress(self) -> float:
        """How much is done, 0 to 1."""
        if self.amount.requests is not None:
            return self.summary.requests / self.amount.requests
        return min(1.0, self.elapsed_s / (self.amount.seconds or 1.0))

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begun_s if self.begun_s else 0.0

    async def run(self, client: BenchClient, body: Callable[[int], dict[str, Any]]) -> None:
        """Ask with `body(number)` until it is enough; what runs then is read to its end."""
        self.begun_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.streams):
                group.create_task(self._stream(client, body))

    async def _stream(self, client: BenchClient, body: Callable[[int], dict[str, Any]]) -> None:
        while self._is_more_wanted():
            self._asked += 1
            self.summary.add(await self._ask(client, body(self._asked)))

    async def _ask(self, client: BenchClient, body: dict[str, Any]) -> Outcome:
        answer = StreamedAnswer()
        self._running.add(answer)
        try:
            return await client.ask(body, answer)
        finally:
            self._running.discard(answer)

    def _is_more_wanted(self) -> bool:
        if self.amount.requests is not None:
            return self._asked < self.amount.requests
        return self.elapsed_s < (self.amount.seconds or 0.0)
