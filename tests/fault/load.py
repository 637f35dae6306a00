"""The load: a number of clients that keep as many streams open, each stream compared with what it should be."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tests.fault.client import Asked, Client, Received
from tests.fault.ledger import log_problems

_BETWEEN_STARTS_S = 0.15
"""So that a fault meets streams at different places."""

Oracle = Callable[[str, int], str]
"""The right text for a prompt and a number of tokens."""


@dataclass(frozen=True)
class LoadPlan:
    """`sessions`: the share of streams that are turns of a session. `prompt`: what the stream of that number asks."""

    streams: int = 8
    tokens: int = 150
    sessions: float = 0.5
    may_fail: bool = False
    """Whether one explicit error event instead of the rest is right, too."""


class Load:
    """Runs from `start` to `finish`; `received` are the streams that are over, `problems` what was wrong with them."""

    def __init__(
        self, plan: LoadPlan, client: Callable[[random.Random], Client], oracle: Oracle, log_url: str, name: str
    ):
        self._plan = plan
        self._client = client
        self._oracle = oracle
        self._log_url = log_url
        self._name = name
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(plan.streams, thread_name_prefix="client")
        self._running: list[Future[None]] = []
        self.received: list[Received] = []
        self.problems: list[str] = []

    def start(self) -> None:
        """Returns when the first chunks have come."""
        self._running = [self._pool.submit(self._go_on, number) for number in range(self._plan.streams)]
        time.sleep(_BETWEEN_STARTS_S * self._plan.streams)

    def finish(self) -> None:
        """Begin no more streams; returns when all that run are over. Raises what a client failed with."""
        self._stopping.set()
        for running in self._running:
            running.result()
        self._pool.shutdown()

    def _go_on(self, lane: int) -> None:
        chance = random.Random(f"{self._name}-{lane}")
        client = self._client(chance)
        time.sleep(lane * _BETWEEN_STARTS_S)
        is_first = True
        while is_first or not self._stopping.is_set():
            is_first = False
            number = next(self._numbers)
            session_id = client.create_session() if chance.random() < self._plan.sessions else None
            prompt = f"Stream number {number % PROMPTS}"
            asked = Asked(prompt, self._plan.tokens, f"{self._name}-{number}", session_id)
            received = client.stream(asked)
            self.problems += self._problems(received)
            self.received.append(received)

    def _problems(self, received: Received) -> list[str]:
        right = self._oracle(received.asked.prompt, received.asked.tokens)
        found = stream_problems(received, right, may_fail=self._plan.may_fail)
        if received.is_complete:
            found += log_problems(self._log_url, received.job_id, right)
        return [f"{received.asked.key} (job {received.job_id or 'never accepted'}): {problem}" for problem in found]


PROMPTS = 16
"""So many different prompts there are; each needs one undisturbed run before."""


def stream_problems(received: Received, right: str, *, may_fail: bool = False) -> list[str]:
    """What is wrong with a stream as its client saw it: every token once and in order, and one end."""
    if not received.job_id and received.error is None:
        return []  # it was never accepted: nothing was promised
    if received.error is not None:
        return [] if may_fail and right.startswith(received.text) else [f"it ended with an error: {received.error}"]
    if not received.is_complete:
        return [f"it did not end; refusals: {received.refusals[-3:]}"]
    found = []
    if received.ids != sorted(set(received.ids)):
        found.append("a chunk came twice or out of order")
    if received.text != right:
        same = next((i for i, (a, b) in enumerate(zip(received.text, right, strict=False)) if a != b), None)
        found.append(f"its text differs from character {same} on ({len(received.text)} of {len(right)} characters)")
    if received.finish_reason != "length":
        found.append(f"its finish reason is {received.finish_reason}")
    return found
