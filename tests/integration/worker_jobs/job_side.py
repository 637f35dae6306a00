"""The job side of one worker inside the test's process: everything between a hint and the model."""

import threading
from pathlib import Path

from celery import Celery

from shared.catalogue import Catalogue
from shared.ledger import Ledger
from worker.broker import Broker
from worker.engine.base import EngineFactory
from worker.engine.simulated import SimulatedFactory, SimulatedOptions
from worker.handover import Handover
from worker.leases import Leases
from worker.model_cache import CacheOptions, ModelCache
from worker.publisher import Publisher
from worker.quarantine import Quarantine
from worker.runner import Runner
from worker.running import RunningJobs

SLOW = SimulatedOptions(step_ms=5, load_ms=0, answer_tokens=100_000)


class JobSide:
    """`doors` notes what the quarantine asked of the consumer: "pause" and "resume"."""

    def __init__(
        self,
        ledger: Ledger,
        app: Celery,
        models_dir: Path,
        *,
        factory: EngineFactory | None = None,
        options: CacheOptions | None = None,
        worker_id: str = "w",
        lease_s: float = 5.0,
    ):
        self.worker_id = worker_id
        self.jobs = RunningJobs()
        self.doors: list[str] = []
        self.cache = ModelCache(
            Catalogue.load(models_dir), factory or SimulatedFactory(SLOW), options or CacheOptions(2**30)
        )
        self.publisher = Publisher(ledger, self.jobs)
        self.leases = Leases(ledger, self.jobs, worker_id=worker_id, lease_s=lease_s)
        self.handover = Handover(ledger, Broker(app), self.jobs, self.publisher)
        self.quarantine = Quarantine(
            ledger,
            self.jobs,
            self.handover,
            worker_id=worker_id,
            run_alone=lambda job_id: self.runner.run_alone(job_id),
            pause=lambda: self.doors.append("pause"),
            resume=lambda: self.doors.append("resume"),
        )
        self.runner = Runner(
            ledger,
            self.cache,
            self.jobs,
            self.publisher,
            self.handover,
            self.quarantine,
            worker_id=worker_id,
            lease_ms=round(lease_s * 1000),
        )

    def start(self) -> "JobSide":
        for part in (self.publisher, self.leases, self.quarantine):
            part.start()
        return self

    def stop(self) -> None:
        self.quarantine.stop()
        for job in self.jobs.all():
            job.abandon()
        self.publisher.stop()
        self.cache.close()

    def take_hint(self, job_id: str) -> threading.Thread:
        """What a task thread of Celery does with a hint."""
        thread = threading.Thread(target=self.runner.run, args=(job_id,), daemon=True)
        thread.start()
        return thread
