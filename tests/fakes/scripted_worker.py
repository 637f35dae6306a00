"""A worker that says what the test tells it to, through the real ledger: claims, appends, finishes, obeys cancels."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import redis

from shared.bodies.workers import WorkerBody
from shared.events import ChoiceEnd, FinalEvent, FinishReason, TokenLogprob, TokensEvent, Usage
from shared.hints import queue_of
from shared.job import GenerateJob
from shared.ledger import Claimed, Lease, Ledger

LEASE_MS = 60_000


@dataclass
class ScriptedWorker:
    """Answers every job of `model` with `texts`, one token each; `gate` holds it back before every token.

    Several choices get the same texts in turns; the logprob of each token is minus its seq, that of the likeliest
    tokens beside it one less each. `loading` is what it says of itself. `jobs` are the claimed jobs by id, `ended` the
    finish reasons.
    """

    redis_url: str
    model: str = "drover-tiny"
    texts: Sequence[str] = ("Hel", "lo", "", " wörld", "!")
    held_text: str = ""
    finish_reason: FinishReason = "stop"
    error: dict[str, str | None] | None = None
    pause_s: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)
    jobs: dict[str, GenerateJob] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    loading: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = redis.Redis.from_url(self.redis_url)
        self._ledger = Ledger(self._client)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.gate.set()

    @contextmanager
    def at_work(self) -> Iterator["ScriptedWorker"]:
        body = WorkerBody(
            id="scripted",
            engine="scripted",
            held_models=[self.model],
            loading=self.loading,
            slots=8,
            busy_slots=0,
            free_bytes=0,
        )
        self._ledger.publish_worker(body, 60_000)
        poller = threading.Thread(target=self._poll)
        poller.start()
        try:
            yield self
        finally:
            self._stop.set()
            self.gate.set()
            for thread in [poller, *self._threads]:
                thread.join()
            self._client.close()

    def _poll(self) -> None:
        while not self._stop.is_set():
            with suppress(redis.RedisError):
                for raw in self._client.zrange(f"jobs:queued:{queue_of(self.model)}", 0, -1):
                    job_id = raw.decode()
                    claimed = self._ledger.claim(job_id, worker_id="scripted", claim_id=uuid4().hex, lease_ms=LEASE_MS)
                    if isinstance(claimed, Claimed):
                        self.jobs[job_id] = claimed.job
                        thread = threading.Thread(target=self._generate, args=(claimed,))
                        self._threads.append(thread)
                        thread.start()
            time.sleep(0.005)

    def _generate(self, claimed: Claimed) -> None:
        job, reason = claimed.job, self.finish_reason
        said = 0
        for text in self.texts:
            answer = "ok"
            while not self.gate.wait(0.01) and answer == "ok":
                answer = self._ledger.renew("scripted", [Lease(job.id, claimed.epoch)], LEASE_MS)[0]
            if self._stop.is_set() or answer != "ok":
                reason = "cancelled"
                break
            appended = self._ledger.append([_event(claimed, said + 1, text)])[0]
            if appended != "fenced":
                said += job.n  # also when it is cancelled: the token is in the log
            if appended != "ok":
                reason = "cancelled"
                break
            time.sleep(self.pause_s)
        error = self.error if reason == "error" else None
        usage = Usage(prompt_tokens=7, completion_tokens=said, cached_tokens=3)
        held = self.held_text if reason == "stop" else ""
        others = (ChoiceEnd(reason, held),) * (job.n - 1)
        self._ledger.finish(FinalEvent(job.id, said, claimed.epoch, reason, held, usage, error, others))
        self.ended[job.id] = reason


def _event(claimed: Claimed, seq: int, text: str) -> TokensEvent:
    """One token of each choice."""
    job = claimed.job
    seqs = range(seq, seq + job.n)
    logprobs = None
    if job.top_logprobs is not None:
        logprobs = [[TokenLogprob(at, -float(at), text.encode()), *_likeliest(at, job.top_logprobs)] for at in seqs]
    choices = list(range(job.n)) if job.n > 1 else None
    return TokensEvent(job.id, seq, claimed.epoch, list(seqs), [text] * job.n, choices, logprobs)


def _likeliest(seq: int, top: int) -> list[TokenLogprob]:
    return [TokenLogprob(place, -float(seq + place), b"x") for place in range(top)]
