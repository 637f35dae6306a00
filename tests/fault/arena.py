"""The arena: what a fault test works with. A scenario takes one, starts a load, does harm, and lets it be judged."""

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from tests.fault.client import Client, Received
from tests.fault.faults import Fault, Injector, counter, scrape
from tests.fault.figures import Quantiles, pauses_s
from tests.fault.ledger import dead_problems, leftovers, message_problems
from tests.fault.load import Load, LoadPlan
from tests.fault.oracle import Oracle
from tests.stack import Stack


@dataclass
class Outcome:
    """What came out of one fault test. Times in seconds."""

    name: str
    seed: int
    faults: dict[str, int]
    streams: int
    tokens: int
    turns: int
    cuts: int
    pause: Quantiles | None
    first_token: Quantiles | None
    figures: dict[str, Any]
    problems: list[str]
    wall_s: float

    @property
    def has_passed(self) -> bool:
        return not self.problems


@dataclass
class Ground:
    """A stack with what is known of it; several tests may stand on one."""

    stack: Stack
    oracle: Oracle = field(init=False)

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.stack)


class Arena:
    """One fault test's view of a stack. `size`: None for the short form, else what the long form's figures count.

    `gateways` is where the load's clients go; a scenario may set it to gateways of its own.
    """

    def __init__(
        self,
        ground: Ground,
        name: str,
        seed: int,
        *,
        times: float | None = None,
        minutes: float | None = None,
        kills: int = 0,
        say: Callable[[str], None] = lambda _: None,
    ):
        self.stack = ground.stack
        self.name = name
        self.seed = seed
        self.chance = random.Random(f"{name}-{seed}")
        self.inject = Injector(ground.stack, self.chance)
        self.gateways: Callable[[], list[str]] = lambda: ground.stack.gateways
        self._ground = ground
        self.minutes = minutes
        self.kills = kills
        self.begun = time.monotonic()
        self._times = times
        self._say = say
        self._may_be_dead: set[str] = set()
        self._loads: list[Load] = []
        self._figures: dict[str, Any] = {}
        self._problems: list[str] = []

        ground.oracle.learn(LoadPlan().tokens)

    @contextlib.contextmanager
    def load(self, plan: LoadPlan | None = None) -> Iterator[Load]:
        """Streams as long as the block takes; at its end, waits until all are over."""
        wanted = plan or LoadPlan()
        self._ground.oracle.learn(wanted.tokens)
        name = f"{self.name}-{self.seed}-{time.time_ns()}"
        load = Load(wanted, self.client, self._ground.oracle, self.stack.redis_url, name)
        self._loads.append(load)
        load.start()
        try:
            yield load
        finally:
            load.finish()

    def client(self, chance: random.Random | None = None) -> Client:
        return Client(lambda: self.gateways(), self.stack.api_key, self.stack.model, chance or self.chance)

    def times(self, short: int, long: int) -> Iterator[int]:
        """How often to do harm: `short` times in CI, `long` times (scaled by what was asked for) by hand."""
        count = self.count(short, long)
        for number in range(count):
            yield number
            self.progress(f"{number + 1} of {count}")

    def count(self, short: int, long: int) -> int:
        """How many of something at once: `short` in CI, `long` (scaled by what was asked for) by hand."""
        return short if self._times is None else max(1, round(long * self._times))

    @property
    def is_long(self) -> bool:
        """Whether this is the long form, whose figures count."""
        return self._times is not None

    def progress(self, words: str) -> None:
        """A line for whoever watches a long run."""
        done = sum(len(load.received) for load in self._loads)
        wrong = [problem for load in self._loads for problem in load.problems]
        self._say(f"{self.name}: {words}; {done} streams done, {len(wrong)} problems {wrong[-1:] or ''}")

    def injector(self, name: str) -> Injector:
        """One more injector for a thread of its own; its faults are counted with the others."""
        return Injector(self.stack, random.Random(f"{self.name}-{self.seed}-{name}"), self.inject.faults)

    def seconds(self, short: float, long: float) -> float:
        """A duration that differs between the two forms."""
        return short if self._times is None else long

    def sleep(self, low_s: float, high_s: float) -> None:
        """A random while."""
        time.sleep(self.chance.uniform(low_s, high_s))

    def calm(self, low_s: float, high_s: float) -> None:
        """A random while after the stack has become whole again, so that what comes next meets running jobs."""
        self.stack.wait_until_whole()
        self.sleep(low_s, high_s)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.stack.redis_url, socket_timeout=5)

    def metric(self, role: str, name: str) -> float:
        """The sum of a counter over the processes of a role that live now, and over its labels."""
        return sum(counter(scrape(process["address"]), name) for process in self.stack.processes_of(role))

    def logged(self, role: str, event: str) -> int:
        """How often the processes of a role have logged an event, those that are dead included."""
        return sum(self.stack.log(process["name"]).count(event) for process in self.stack.processes_of(role))

    def claims(self, streams: Sequence[Received], *, more_than: int) -> list[str]:
        """Jobs that were claimed more often than that."""
        with self.redis() as client:
            return [one.job_id for one in streams if int(client.hget(f"job:{one.job_id}", "claims") or 0) > more_than]

    def claims_of(self, job_id: str) -> int:
        with self.redis() as client:
            return int(client.hget(f"job:{job_id}", "claims") or 0)

    def allow_dead(self, job_id: str) -> None:
        """That job is poison: it may and must end in `jobs:dead`."""
        self._may_be_dead.add(job_id)

    def require(self, is_there: object, sentence: str) -> None:
        """Skip on a laptop, fail in CI, unless what the scenario needs is there."""
        if is_there:
            return
        if os.environ.get("CI") == "true":
            raise AssertionError(sentence)
        pytest.skip(sentence)

    def figure(self, name: str, value: object) -> None:
        """Something that the report shall tell besides streams and pauses."""
        self._figures[name] = value

    def expect(self, is_true: object, sentence: str) -> None:
        """Note `sentence` as a problem unless it is true; the test goes on and fails at its end."""
        if not is_true:
            self._problems.append(sentence)

    @property
    def received(self) -> list[Received]:
        return [received for load in self._loads for received in load.received]

    def outcome(self) -> Outcome:
        """Judge everything: the streams, what is stored, what is left. Waits until the stack is whole again."""
        try:
            self.stack.wait_until_whole()
        except AssertionError as error:
            self._problems.append(str(error))
        streams = self.received
        right = {one.job_id: self._ground.oracle(one.asked.prompt, one.asked.tokens) for one in streams}
        problems = [*self._problems, *(problem for load in self._loads for problem in load.problems)]
        problems += message_problems(self.stack.database_url, streams, right)
        problems += leftovers(self.stack.redis_url)
        problems += dead_problems(self.stack.redis_url, {one.job_id for one in streams}, self._may_be_dead)
        never = sum(not one.job_id for one in streams)
        if never:
            self._figures["requests that were never accepted"] = never
        if never == len(streams) and self._loads:
            problems.append("no request was accepted")
        first = [one.arrivals[0] - one.accepted_at for one in streams if one.arrivals]
        return Outcome(
            name=self.name,
            seed=self.seed,
            faults=dict(Counter(f"{fault.kind} {fault.target}" for fault in self.inject.faults)),
            streams=len(streams),
            tokens=sum(one.asked.tokens for one in streams),
            turns=sum(1 for one in streams if one.asked.session_id),
            cuts=sum(one.cuts for one in streams),
            pause=Quantiles.of(pauses_s(self.inject.faults, streams)),
            first_token=Quantiles.of(first),
            figures=self._figures,
            problems=problems,
            wall_s=time.monotonic() - self.begun,
        )


__all__ = ["Arena", "Fault", "Ground", "LoadPlan", "Outcome"]
