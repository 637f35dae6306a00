"""The worker as a whole: its parts, put together, started and drained."""

import threading
import time

import structlog

from shared.catalogue import Catalogue
from shared.errors import DroverError
from shared.hints import celery_app
from shared.ledger import Ledger
from shared.ledger.demand import Demand
from shared.settings import ConfigurationError
from shared.telemetry import instruments
from shared.telemetry.instruments import Reading
from worker.broker import Broker
from worker.connection import connect
from worker.consumer import Consumer
from worker.drain import Drain
from worker.engine_choice import cache_options, check_settings, engine_factory
from worker.handover import Handover
from worker.leases import Leases
from worker.model_cache import ModelCache
from worker.operations import Operations
from worker.placement import Placement
from worker.presence import Presence
from worker.publisher import Publisher
from worker.quarantine import Quarantine
from worker.reaper import Reaper
from worker.runner import Runner
from worker.running import RunningJobs
from worker.settings import WorkerSettings

log = structlog.get_logger(__name__)


class Service:
    """One worker process. `stopping` is set to end it: by a signal, or by a start that failed."""

    def __init__(self, settings: WorkerSettings):
        """Raises ConfigurationError for anything that keeps the worker from starting."""
        self.stopping = threading.Event()
        self.failure = ""
        self._settings = settings
        self._is_loaded = False
        worker_id = settings.worker_id
        catalogue = Catalogue.load(settings.models_dir)
        check_settings(settings, catalogue)
        self._operations = self._open_operations()
        client = connect(settings.redis_url, timeout_s=settings.start_timeout_s)
        ledger = Ledger(client)
        factory = engine_factory(settings, catalogue)
        self._cache = ModelCache(catalogue, factory, cache_options(settings), lambda: self._presence.hurry())
        app = celery_app(settings.hints_url)
        broker = Broker(app)
        jobs = RunningJobs()
        self._publisher = Publisher(ledger, jobs)
        handover = Handover(ledger, broker, jobs, self._publisher)
        self._leases = Leases(ledger, jobs, worker_id=worker_id, lease_s=settings.lease_s, loading=self._cache.loading)
        self._reaper = Reaper(ledger, broker, worker_id=worker_id, lease_ms=settings.lease_ms)
        self._quarantine = Quarantine(
            ledger,
            jobs,
            handover,
            worker_id=worker_id,
            run_alone=lambda job_id: runner.run_alone(job_id),
            pause=lambda: self._consumer.pause(),
            resume=lambda: self._consumer.resume(),
        )
        runner = Runner(
            ledger,
            self._cache,
            jobs,
            self._publisher,
            handover,
            self._quarantine,
            worker_id=worker_id,
            lease_ms=settings.lease_ms,
        )
        self._consumer = Consumer(app, runner.run, concurrency=settings.slots, worker_id=worker_id)
        self._placement = Placement(
            Demand(client),
            catalogue,
            self._cache,
            worker_id=worker_id,
            slots=settings.slots,
            busy_slots=lambda: len(jobs),
            follow=self._consumer.follow,
            announce=lambda: self._presence.hurry(),
            hand_over=handover.hand_over,
        )
        self._presence = Presence(
            ledger,
            self._cache,
            jobs,
            worker_id=worker_id,
            engine=factory.name,
            slots=settings.slots,
            loading=self._placement.pending,
        )
        self._drain = Drain(
            jobs, handover, self._quarantine, self._consumer, self._presence, grace_s=settings.drain_grace_s
        )
        self._observe(jobs)

    def run(self) -> int:
        """Work until `stopping` is set, then drain; the exit status."""
        if self._operations:
            self._operations.start()
            log.info("operations_listen", port=self._operations.port)
        for part in (self._publisher, self._leases, self._reaper, self._presence, self._quarantine):
            part.start()
        threading.Thread(target=self._begin, name="beginning", daemon=True).start()
        self.stopping.wait()
        self._placement.stop()
        self._drain.run()
        return 1 if self.failure else 0

    def _begin(self) -> None:
        """Preload, then take hints; apart from the main thread, which must hear signals meanwhile."""
        try:
            for name in self._settings.preload:
                self._preload(name)
            self._is_loaded = True
            self._consumer.follow(self._cache.held_models())
            self._consumer.start()
            self._placement.start()
        except ConfigurationError as error:
            self.failure = str(error)
            self.stopping.set()
        except Exception as error:
            log.exception("start_failed")
            self.failure = f"The worker could not start: {error!r}"
            self.stopping.set()

    def _preload(self, name: str) -> None:
        try:
            with self._cache.use(name):
                log.info("model_preloaded", model=name)
        except DroverError as error:
            raise ConfigurationError(f"The model {name} of WORKER_PRELOAD cannot be loaded: {error.message}") from error

    def _observe(self, jobs: RunningJobs) -> None:
        cache = self._cache
        instruments.observe("drover_worker_slots", lambda: [(self._settings.slots, {})])
        instruments.observe("drover_worker_busy_slots", lambda: [(len(jobs), {})])
        instruments.observe("drover_model_memory_bytes", lambda: _memory(cache))
        instruments.observe("drover_models_loaded", lambda: [(1, {"model": name}) for name in cache.held_models()])
        instruments.observe("drover_models_failed", lambda: [(1, {"model": name}) for name in cache.pauses()])
        instruments.observe(
            "drover_kv_cache_usage_ratio",
            lambda: [(loaded.kv_usage_ratio, {"model": loaded.entry.name}) for loaded in cache.loaded()],
        )

    def _open_operations(self) -> Operations | None:
        if not self._settings.metrics_port:
            return None
        return Operations(
            self._settings.metrics_host,
            self._settings.metrics_port,
            liveness=self._liveness,
            readiness=self._readiness,
        )

    def _liveness(self) -> dict[str, str]:
        """A model that hangs in the driver can only be mended by a new process."""
        now = time.monotonic()
        stalled = [loaded.entry.name for loaded in self._cache.loaded() if loaded.is_stalled(now)]
        return {"models": f"no progress: {', '.join(stalled)}" if stalled else "ok"}

    def _readiness(self) -> dict[str, str]:
        return {
            "redis": "ok" if self._presence.is_heard else "does not answer",
            "models": "ok" if self._is_loaded else "loading",
            "hints": "ok" if self._consumer.is_consuming else "the broker is not connected",
            "drain": "draining" if self.stopping.is_set() else "ok",
        }


def _memory(cache: ModelCache) -> list[Reading]:
    free = cache.free_bytes()
    return [(cache.budget_bytes - free, {"state": "used"}), (free, {"state": "free"})]
