"""A fleet of pods that serve users, second by second: requests wait, run in slots, and move when a pod leaves.

Users are those of the load generator: each asks, waits for the whole answer, reads it for a while, asks again.
"""

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count

CONTINUE_S = 1.0
"""What a request costs that goes on at another pod: its prompt and its answer so far are read again."""


@dataclass(frozen=True)
class Workload:
    """One service. Times in seconds: `service_s` of one request on the average, `start_s` until a new pod's container
    runs, `load_s` from then until it is ready, `drain_s` for requests that still run when a pod has to go.

    `weight`: how many requests one simulated request stands for, where there are thousands.
    """

    slots: int
    service_s: float
    think_s: float
    start_s: float
    load_s: float
    drain_s: float
    weight: int = 1


@dataclass(eq=False)
class Pod:
    """A replica, from its creation to the moment that it has to go."""

    created_s: float
    running: dict[int, float] = field(default_factory=dict)
    """Requests with the time at which each will be done."""

    def runs(self, now_s: float, load: Workload) -> bool:
        return now_s >= self.created_s + load.start_s

    def is_ready(self, now_s: float, load: Workload) -> bool:
        return now_s >= self.created_s + load.start_s + load.load_s


class Fleet:
    """Pods, the requests that wait, and the users. `seed` chooses service and thinking times."""

    def __init__(self, load: Workload, replicas: int, seed: int):
        self.load = load
        self.pods = [Pod(-load.start_s - load.load_s) for _ in range(replicas)]
        self.waiting: deque[tuple[int, float, float]] = deque()
        """Requests with the seconds of service that they still need, and when they came."""
        self.moved = 0
        self.waits_s: list[float] = []
        self._random = random.Random(seed)
        self._numbers = count()
        self._done: list[tuple[float, int, Pod]] = []
        self._thinking: list[float] = []
        self._users = 0

    @property
    def running(self) -> int:
        return sum(len(pod.running) for pod in self.pods)

    def step(self, now_s: float, users: int) -> None:
        """Live through one second: users come and go, requests end, users ask, free slots take what waits."""
        self._have_users(now_s, users)
        while self._done and self._done[0][0] <= now_s:
            _, number, pod = heapq.heappop(self._done)
            if pod.running.pop(number, None) is not None:
                self._answer(now_s)
        while self._thinking and self._thinking[0] <= now_s:
            heapq.heappop(self._thinking)
            self.waiting.append((next(self._numbers), self._draw(self.load.service_s), now_s))
        self._assign(now_s)

    def scale(self, now_s: float, replicas: int) -> None:
        """Add pods, or take away those that are not ready yet, then the youngest, as a ReplicaSet does."""
        while len(self.pods) < replicas:
            self.pods.append(Pod(now_s))
        while len(self.pods) > replicas:
            leaving = self.pods.pop()
            for number, done_s in leaving.running.items():
                left_s = done_s - now_s
                if left_s <= self.load.drain_s:
                    heapq.heappush(self._thinking, now_s + left_s + self._draw(self.load.think_s))
                else:
                    self.waiting.appendleft((number, left_s + CONTINUE_S, now_s))
                    self.moved += 1
            leaving.running.clear()

    def _have_users(self, now_s: float, users: int) -> None:
        while self._users < users:
            self._users += 1
            heapq.heappush(self._thinking, now_s + self._random.random())
        while self._users > users and self._thinking:
            self._thinking.remove(max(self._thinking))
            heapq.heapify(self._thinking)
            self._users -= 1

    def _answer(self, now_s: float) -> None:
        heapq.heappush(self._thinking, now_s + self._draw(self.load.think_s))

    def _assign(self, now_s: float) -> None:
        """The least busy pod first, as hints that any worker may take share themselves out."""
        ready = [
            (len(pod.running), order, pod) for order, pod in enumerate(self.pods) if pod.is_ready(now_s, self.load)
        ]
        heapq.heapify(ready)
        while self.waiting and ready and ready[0][0] < self.load.slots:
            busy, order, pod = heapq.heappop(ready)
            number, service_s, came_s = self.waiting.popleft()
            pod.running[number] = now_s + service_s
            heapq.heappush(self._done, (now_s + service_s, number, pod))
            self.waits_s.append(now_s - came_s)
            heapq.heappush(ready, (busy + 1, order, pod))

    def _draw(self, mean_s: float) -> float:
        """Log-normal with half its mean as deviation: answers are of very different lengths."""
        variance = math.log(1 + 0.5**2)
        return self._random.lognormvariate(math.log(mean_s) - variance / 2, math.sqrt(variance)) if mean_s else 0.0
