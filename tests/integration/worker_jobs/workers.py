"""Real worker processes for tests, and the way jobs get to them and their events back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import uuid4

import redis.asyncio
from celery import Celery
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from shared.bodies.keys import Limits
from shared.bodies.messages import Message
from shared.catalogue import ModelEntry
from shared.events import FinalEvent, TokensEvent
from shared.hints import celery_app, send_hint
from shared.job import GenerateJob, SamplingParams
from shared.ledger import AsyncLedger
from tests.servers import free_port
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.loaded_model import LoadedModel
from worker.sequence import SequenceRequest

MODEL = "sim"
ENTRY = ModelEntry(name=MODEL, file="sim.gguf", kind="chat", context_length=4096, template="chatml")
CATALOGUE = """
[models.sim]
file = "sim.gguf"
kind = "chat"
context_length = 4096
template = "chatml"
"""


class WorkerProcess:
    """One `python -m worker.main` with the simulated engine and short leases."""

    def __init__(
        self,
        redis_url: str,
        models_dir: Path,
        *,
        broker_url: str | None = None,
        module: str = "worker.main",
        **settings: object,
    ):
        self.id = uuid4().hex
        self.port = free_port()
        self.log = models_dir / f"worker-{self.port}.log"
        own = {
            "id": self.id,
            "engine": "simulated",
            "metrics_port": self.port,
            "lease_s": 0.6,
            "drain_grace_s": 0.3,
            "simulated_step_ms": 10,
            "simulated_load_ms": 10,
            "simulated_answer_tokens": 5000,
            **settings,
        }
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("WORKER_", "CELERY_"))},
            "REDIS_URL": redis_url,
            "DROVER_MODELS_DIR": str(models_dir),
            **({"CELERY_BROKER_URL": broker_url} if broker_url else {}),
            **{f"WORKER_{name.upper()}": str(value) for name, value in own.items()},
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the operations endpoint; status 0 while it cannot be reached."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, timeout_s: float = 30.0) -> "WorkerProcess":
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.is_running:
            if self.get("/readyz")[0] == 200:
                return self
            time.sleep(0.05)
        raise AssertionError(f"The worker is not ready:\n{self.log.read_text()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = 15.0) -> int:
        return self.process.wait(timeout_s)


async def eventually(holds: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    """Return as soon as `holds` answers True. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not await holds():  # noqa: ASYNC110  another process decides, there is no event to wait for
            await asyncio.sleep(0.01)


class Jobs:
    """What the gateway does with jobs, as far as a worker can tell."""

    def __init__(self, redis_url: str, broker_url: str | None = None):
        self.client = redis.asyncio.Redis.from_url(redis_url, retry=Retry(ConstantBackoff(0.1), 100))
        self.ledger = AsyncLedger(self.client)
        self.app: Celery = celery_app(broker_url or redis_url)

    async def accept(self, text: str = "Tell me of the fox.", *, max_tokens: int = 40, **fields: object) -> GenerateJob:
        """Put a job into the ledger, without a hint."""
        job = GenerateJob(
            id=uuid4().hex,
            tenant_id="tenant",
            key_id="key",
            model=str(fields.pop("model", MODEL)),
            model_digest=str(fields.pop("model_digest", "")),
            messages=(Message(role="user", content=text),),
            sampling=SamplingParams(seed=7),
            max_tokens=max_tokens,
            **fields,  # type: ignore[arg-type]
        )
        await self.ledger.accept(job, Limits(), max_queued_jobs=1000, idempotency=None)
        return job

    async def send(self, text: str = "Tell me of the fox.", *, max_tokens: int = 40, **fields: object) -> GenerateJob:
        """Accept a job and send its hint."""
        job = await self.accept(text, max_tokens=max_tokens, **fields)
        await self.hint(job)
        return job

    async def hint(self, job: GenerateJob, queue_of_model: str | None = None) -> None:
        await asyncio.to_thread(send_hint, self.app, job.id, queue_of_model or job.model, job.priority)

    async def wait_for_tokens(self, job: GenerateJob, count: int, timeout_s: float = 20.0) -> None:
        """Return when the log holds at least `count` tokens of the job."""

        async def are_there() -> bool:
            return (await self.ledger.status(job.id, job.tenant_id)).seq >= count

        await eventually(are_there, timeout_s)

    async def wait_for_state(self, job: GenerateJob, state: str) -> None:
        async def is_it() -> bool:
            return (await self.ledger.status(job.id, job.tenant_id)).state == state

        await eventually(is_it)

    async def holder(self, job: GenerateJob, workers: Sequence[WorkerProcess]) -> WorkerProcess:
        """Which of the workers has claimed the job."""
        worker_id = await self.client.hget(f"job:{job.id}", "worker")
        assert worker_id is not None
        return next(worker for worker in workers if worker.id == worker_id.decode())

    async def result(self, job: GenerateJob, timeout_s: float = 20.0) -> tuple[list[int], FinalEvent]:
        """The token ids and the final event, once there is one; fails on a gap or a doubled token."""
        events: list[TokensEvent | FinalEvent] = []
        async with asyncio.timeout(timeout_s):
            while not events or not isinstance(events[-1], FinalEvent):
                await asyncio.sleep(0.02)
                events = await self.ledger.read_log(job.id)
        *tokens, final = events
        assert isinstance(final, FinalEvent)
        ids: list[int] = []
        for event in tokens:
            assert isinstance(event, TokensEvent)
            assert event.first_seq == len(ids) + 1
            ids += event.token_ids
        assert final.last_seq == len(ids)
        return ids, final

    async def close(self) -> None:
        await self.client.aclose()
        self.app.close()


def expected_tokens(job: GenerateJob) -> list[int]:
    """What the simulated engine says to the job when nothing disturbs it."""
    ids: list[int] = []
    engine = SimulatedEngine(ENTRY, SimulatedOptions(step_ms=0, answer_tokens=5000))
    loaded = LoadedModel(ENTRY, engine, stall_s=5, prefill_stall_s=5)
    is_over = False

    def emit(event: TokensEvent | FinalEvent) -> None:
        nonlocal is_over
        if isinstance(event, TokensEvent):
            ids.extend(event.token_ids)
        else:
            is_over = True

    loaded.submit(SequenceRequest(job=job, epoch=1, logged=[], emit=emit))
    end = time.monotonic() + 10
    while not is_over and time.monotonic() < end:
        time.sleep(0.005)
    loaded.close()
    return ids
