"""Every metric of Drover, declared once under the name that Prometheus shows.

Import the module and record: ``instruments.FENCED.add(1)``. Recording costs a few microseconds, so it is done per event
and never per token. Before `configure_metrics` it does nothing. Labels are the declared ones, all of them, every time.
Never use a job, session or user id as a label; docs/operations.md says how tenants are bounded.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation

from shared.telemetry.metric import ANY, Metric, Service

_METER = metrics.get_meter("drover")
_HTTP: tuple[Service, ...] = ("gateway", "session-service", "embedding-service")
_ENGINES: tuple[Service, ...] = ("worker", "embedding-service")

DECLARED: dict[str, Metric] = {}
"""Every metric by its name; the tests of dashboards, alerts and autoscalers, and docs/operations.md, read it."""
_COUNTERS: dict[str, Counter] = {}

Labels = Mapping[str, tuple[str, ...]]
_NO_LABELS: Labels = {}


def _counter(name: str, description: str, services: tuple[Service, ...], labels: Labels = _NO_LABELS) -> Counter:
    DECLARED[name] = Metric(name, "counter", description, services, labels)
    _COUNTERS[name] = _METER.create_counter(name, description=description)
    return _COUNTERS[name]


def _histogram(name: str, description: str, services: tuple[Service, ...], labels: Labels) -> Histogram:
    DECLARED[name] = Metric(name, "histogram", description, services, labels)
    return _METER.create_histogram(name, unit="s" if name.endswith("_seconds") else "", description=description)


# --- answers over HTTP, and streams

REQUESTS = _counter(
    "drover_requests_total",
    "HTTP requests answered, by route template, method and status.",
    _HTTP,
    {"route": ANY, "method": ANY, "status": ANY},
)
REQUEST_DURATION = _histogram(
    "drover_request_duration_seconds",
    "From a request's arrival to the beginning of its answer.",
    _HTTP,
    {"route": ANY, "method": ANY},
)
TIME_TO_FIRST_TOKEN = _histogram(
    "drover_time_to_first_token_seconds", "From the accepted request to its first token.", ("gateway",), {"model": ANY}
)
INTER_TOKEN = _histogram(
    "drover_inter_token_seconds",
    "Between two consecutive token events of one job, one gap of eight.",
    ("gateway",),
    {"model": ANY},
)
GAP_REPAIRED = _counter(
    "drover_gap_repaired_total", "Gaps in a live stream that were filled from the token log.", ("gateway",)
)

# --- jobs

JOBS = _counter(
    "drover_jobs_total",
    "Jobs that became final, by the state that they ended in.",
    ("session-service",),
    {"model": ANY, "state": ("done", "cancelled", "failed", "dead", "expired")},
)
JOB_DURATION = _histogram(
    "drover_job_duration_seconds",
    "From the accepted job to its end, whatever that was.",
    ("session-service",),
    {"model": ANY},
)
TENANT_TOKENS = _counter(
    "drover_tenant_tokens_total",
    "Tokens of a tenant's jobs; tenants beyond SESSION_METRIC_TENANTS are `other`.",
    ("session-service",),
    {"tenant": ANY, "kind": ("prompt", "completion", "cached")},
)
LEASE_LOST = _counter("drover_lease_lost_total", "Jobs whose lease this worker lost while it lived.", ("worker",))
FENCED = _counter("drover_fenced_total", "Appends refused because the epoch was old.", ("worker",))
HINT_REPAIRED = _counter("drover_hint_repaired_total", "Hints that the reaper sent again.", ("worker",))
JOBS_REAPED = _counter(
    "drover_jobs_reaped_total",
    "Jobs that the reaper found without a worker: put back into their queue, or ended.",
    ("worker",),
    {"outcome": ("requeued", "expired", "dead", "abandoned")},
)

# --- models

TOKENS = _counter(
    "drover_tokens_total",
    "Tokens processed; `cached` are those of `prompt` that the KV cache had.",
    _ENGINES,
    {"kind": ("prompt", "completion", "cached", "embedding"), "model": ANY},
)
BATCH_SIZE = _histogram(
    "drover_batch_size", "Sequences in one decode step; texts in one pass of embeddings.", _ENGINES, {"model": ANY}
)
MODEL_LOAD = _histogram("drover_model_load_seconds", "Time to load a model.", _ENGINES, {"model": ANY})
MODEL_EVICTIONS = _counter(
    "drover_model_evictions_total", "Models evicted from the cache.", ("worker",), {"model": ANY}
)
PREFIX_CACHE_TOKENS = _counter(
    "drover_prefix_cache_tokens_total",
    "Prompt tokens that the KV cache had (hit) and had not (miss).",
    ("worker",),
    {"model": ANY, "result": ("hit", "miss")},
)

# --- gauges, read when the metrics are rendered

ObservedGauge = Literal[
    "drover_streams_active",
    "drover_queue_depth",
    "drover_queue_oldest_age_seconds",
    "drover_workers",
    "drover_outbox_depth",
    "drover_outbox_oldest_age_seconds",
    "drover_redis_up",
    "drover_redis_memory_bytes",
    "drover_redis_memory_ratio",
    "drover_worker_slots",
    "drover_worker_busy_slots",
    "drover_model_memory_bytes",
    "drover_models_loaded",
    "drover_models_failed",
    "drover_kv_cache_usage_ratio",
    "drover_embeddings_in_flight",
]
Reading = tuple[float, Mapping[str, str]]
"""A value and its labels."""

_GATEWAY: tuple[Service, ...] = ("gateway",)
_WORKER: tuple[Service, ...] = ("worker",)
_GAUGES: dict[ObservedGauge, tuple[str, tuple[Service, ...], Labels]] = {
    "drover_streams_active": ("Event streams that are open.", _GATEWAY, {}),
    "drover_queue_depth": ("Jobs that wait; every gateway shows the same.", _GATEWAY, {"queue": ANY}),
    "drover_queue_oldest_age_seconds": ("Age of the oldest job that waits.", _GATEWAY, {"queue": ANY}),
    "drover_workers": ("Workers that are alive, as the ledger sees them.", _GATEWAY, {"state": ("ready", "draining")}),
    "drover_outbox_depth": ("Ended jobs that the session service has not stored yet.", _GATEWAY, {}),
    "drover_outbox_oldest_age_seconds": ("Age of the oldest of these.", _GATEWAY, {}),
    "drover_redis_up": ("1 if the ledger answered this gateway at its last look, else 0.", _GATEWAY, {}),
    "drover_redis_memory_bytes": ("Memory that Redis uses.", _GATEWAY, {}),
    "drover_redis_memory_ratio": ("The part of maxmemory, or of the host's memory, in use.", _GATEWAY, {}),
    "drover_worker_slots": ("Jobs that this worker takes at once.", _WORKER, {}),
    "drover_worker_busy_slots": ("Jobs that it has now.", _WORKER, {}),
    "drover_model_memory_bytes": ("Its budget for models, used and free.", _WORKER, {"state": ("used", "free")}),
    "drover_models_loaded": ("1 for each model that this process holds.", _ENGINES, {"model": ANY}),
    "drover_models_failed": ("1 for each model that could not be loaded lately.", _WORKER, {"model": ANY}),
    "drover_kv_cache_usage_ratio": ("Used part of the KV cache.", _WORKER, {"model": ANY}),
    "drover_embeddings_in_flight": ("Texts that wait or are being embedded.", ("embedding-service",), {"model": ANY}),
}
_readers: dict[ObservedGauge, Callable[[], Iterable[Reading]]] = {}


def observe(gauge: ObservedGauge, read: Callable[[], Iterable[Reading]]) -> None:
    """Have `read` called whenever the metrics are rendered, in any thread; it must not block. The last given wins."""
    _readers[gauge] = read


def count_from_zero(service: str) -> None:
    """Show every counter of the service whose labels are known: Prometheus sees no increase to a first value."""
    for name, counter in _COUNTERS.items():
        if service in DECLARED[name].services:
            for labels in DECLARED[name].known_label_sets():
                counter.add(0, labels)


def _declare(gauge: ObservedGauge) -> None:
    description, services, labels = _GAUGES[gauge]

    def collect(_options: CallbackOptions) -> Iterable[Observation]:
        read = _readers.get(gauge)
        return [Observation(value, dict(labels)) for value, labels in read()] if read else []

    DECLARED[gauge] = Metric(gauge, "gauge", description, services, labels)
    _METER.create_observable_gauge(gauge, callbacks=[collect], description=description)


for _gauge in get_args(ObservedGauge):
    _declare(_gauge)
