"""Locust's users: each asks, reads the answer to its end, and asks again. To import this makes the process gevent's."""

import random
from dataclasses import dataclass
from itertools import count
from typing import Any

from locust import User, constant, task

from cli.bench.outcome import Outcome
from tests.load.plain_client import PlainClient
from tests.load.workloads import SESSION_TURNS, Asking, Mix, Workload


@dataclass(frozen=True)
class Habits:
    """What all users have in common. `think_s`: the pause between an answer and the next request."""

    url: str
    api_key: str
    mix: Mix
    asking: Asking
    think_s: float
    timeout_s: float
    seed: int


class _Person(User):  # type: ignore[misc]  # locust's base is untyped under strict
    abstract = True
    habits: Habits
    numbers: "count[int]"

    def __init__(self, environment: Any):
        super().__init__(environment)
        habits = self.habits
        self._client = PlainClient(habits.url, habits.api_key, timeout_s=habits.timeout_s)
        self._chance = random.Random(f"{habits.seed} {next(self.numbers)}")
        self._session_id: str | None = None
        self._turns_left = 0
        self._acts = {"chat": self._chat, "session": self._turn, "embeddings": self._embed}

    @task
    def ask(self) -> None:
        """One request of a workload that the mix draws."""
        workload = self.habits.mix.draw(self._chance)
        self._tell(workload, self._acts[workload]())

    def on_stop(self) -> None:
        self._client.close()

    def _chat(self) -> Outcome:
        return self._client.stream(self.habits.asking.chat(self._chance))

    def _turn(self) -> Outcome:
        """A turn in this user's session; a new session first where there is none, or an old one."""
        if not self._turns_left:
            made, session = self._client.call("POST", "/v1/sessions", {})
            if made.error:
                return made
            self._session_id, self._turns_left = session["id"], SESSION_TURNS
        self._turns_left -= 1
        outcome = self._client.stream(self.habits.asking.chat(self._chance, self._session_id))
        if outcome.error:
            self._turns_left = 0  # its turn may still be in progress
        return outcome

    def _embed(self) -> Outcome:
        outcome, answer = self._client.call("POST", "/v1/embeddings", self.habits.asking.embeddings(self._chance))
        outcome.prompt_tokens = answer.get("usage", {}).get("prompt_tokens", 0)
        return outcome

    def _tell(self, workload: Workload, outcome: Outcome) -> None:
        """Locust's own event, so that its listeners hear of every request; ours find the outcome in it."""
        self.environment.events.request.fire(
            request_type="POST",
            name=workload,
            response_time=outcome.total_s * 1000,
            response_length=0,
            exception=RuntimeError(outcome.error) if outcome.error else None,
            context={},
            outcome=outcome,
        )


def person_of(habits: Habits) -> type[User]:
    """The class of users with these habits, as Locust wants it."""
    return type("Person", (_Person,), {"habits": habits, "numbers": count(), "wait_time": constant(habits.think_s)})
