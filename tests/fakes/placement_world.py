"""Workers, queues and a clock without any I/O, to see what many placement decisions do together."""

import random
from collections import defaultdict, deque
from dataclasses import dataclass, field

from worker.placement_plan import Held, Place, Plan, Planner, Wanted

STEP_S = 0.05
LOOK_EVERY_S = 0.1
SAY_EVERY_S = 1.0
FORGET_S = 3.5


@dataclass
class Job:
    model: str
    arrived: float
    ends: float = 0.0


@dataclass
class HeldHere:
    loaded_at: float
    used_at: float


@dataclass
class Worker:
    """Holds models of one byte each."""

    id: str
    room: int
    slots: int
    looks_at: float
    planner: Planner = field(init=False)
    held: dict[str, HeldHere] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    loading: dict[str, float] = field(default_factory=dict)
    plan: Plan | None = None
    running: list[Job] = field(default_factory=list)
    is_dead: bool = False

    def __post_init__(self) -> None:
        self.planner = Planner(self.id)

    def count(self, model: str) -> int:
        return sum(job.model == model for job in self.running)


class World:
    """Jobs arrive, workers run them; `waits` has the seconds that each job waited for its slot, by model."""

    def __init__(self, *, load_s: float = 1.0, job_s: float = 1.0, room: int = 2, slots: int = 4, seed: int = 1):
        self.now = 0.0
        self.loads: list[tuple[float, str, str]] = []
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.queues: dict[str, deque[Job]] = defaultdict(deque)
        self.workers: dict[str, Worker] = {}
        self._said: dict[str, tuple[float, Place]] = {}
        self._turns: dict[str, str] = {}
        self._load_s, self._job_s, self._room, self._slots = load_s, job_s, room, slots
        self.random = random.Random(seed)

    def join(self, worker_id: str) -> Worker:
        worker = Worker(worker_id, self._room, self._slots, self.now + self.random.random() * LOOK_EVERY_S)
        self.workers[worker_id] = worker
        self._say(worker)
        return worker

    def kill(self, worker_id: str) -> None:
        """Its jobs go back to their queues, as the reaper does it."""
        worker = self.workers.pop(worker_id)
        for job in worker.running:
            self.waits[job.model].pop()
            self.queues[job.model].appendleft(job)
        self._turns = {model: owner for model, owner in self._turns.items() if owner != worker_id}

    def arrive(self, model: str, count: int = 1) -> None:
        self.queues[model].extend(Job(model, self.now) for _ in range(count))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            for worker in self.workers.values():
                self._work(worker)

    def jobs_done(self) -> int:
        return sum(len(waits) for waits in self.waits.values())

    def holders(self, model: str) -> list[str]:
        return [worker.id for worker in self.workers.values() if model in worker.held]

    def _work(self, worker: Worker) -> None:
        worker.running = [job for job in worker.running if job.ends > self.now]
        for model, ready_at in list(worker.loading.items()):
            if self.now >= ready_at:
                del worker.loading[model]
                worker.held[model] = HeldHere(self.now, self.now)
                self._say(worker)
                self._turns.pop(model, None)
        self._take(worker)
        if self.now - self._said[worker.id][0] >= SAY_EVERY_S:
            self._say(worker)
        if self.now >= worker.looks_at:
            worker.looks_at = self.now + LOOK_EVERY_S
            self._look(worker)

    def _take(self, worker: Worker) -> None:
        served = [model for model in worker.held if model not in worker.leaving]
        self.random.shuffle(served)
        for model in served:
            while self.queues[model] and len(worker.running) < worker.slots:
                job = self.queues[model].popleft()
                job.ends = self.now + self._job_s * self.random.uniform(0.5, 1.5)
                worker.running.append(job)
                self.waits[model].append(self.now - job.arrived)
        for model in {job.model for job in worker.running}:
            worker.held[model].used_at = self.now

    def _look(self, worker: Worker) -> None:
        if worker.plan is None:
            plan = worker.planner.decide(self.now, self._wanted(), self._places(worker))
            if plan is None or plan.model in self._turns:
                return
            self._turns[plan.model] = worker.id
            worker.plan = plan
            worker.leaving |= set(plan.leaving)
        if not any(worker.count(model) for model in worker.plan.leaving):
            for model in worker.plan.leaving:
                del worker.held[model]
                worker.leaving.discard(model)
            worker.loading[worker.plan.model] = self.now + self._load_s
            self.loads.append((self.now, worker.id, worker.plan.model))
            worker.plan = None
        self._say(worker)

    def _wanted(self) -> list[Wanted]:
        return [
            Wanted(model, len(queue), self.now - queue[0].arrived, needed_bytes=1)
            for model, queue in self.queues.items()
            if queue
        ]

    def _places(self, me: Worker) -> list[Place]:
        others = [place for at, place in self._said.values() if place.worker != me.id and self.now - at < FORGET_S]
        return [self._place(me, is_own=True), *others]

    def _say(self, worker: Worker) -> None:
        self._said[worker.id] = (self.now, self._place(worker, is_own=False))

    def _place(self, worker: Worker, *, is_own: bool) -> Place:
        served = {model: here for model, here in worker.held.items() if model not in worker.leaving}
        held = {}
        for model, here in sorted(served.items(), key=lambda item: item[1].used_at):
            running = worker.count(model)
            held[model] = Held(1, running)
            if is_own:
                idle_s = 0.0 if running else self.now - here.used_at
                held[model] = Held(1, running, self.now - here.loaded_at, idle_s, self._load_s)
        planned = {worker.plan.model} if worker.plan else set()
        return Place(
            worker.id,
            held,
            worker.slots,
            len(worker.running),
            free_bytes=worker.room - len(worker.held) - len(worker.loading),
            budget_bytes=worker.room,
            loading=frozenset(worker.loading) | planned,
            leaving=frozenset(worker.leaving) if is_own else frozenset(),
        )
