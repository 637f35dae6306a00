"""Every metric of Drover, declared once under the name that Prometheus shows.

Import the module and record: ``instruments.TOKENS.add(event_size, {"kind": "completion"})``. Recording costs a few
microseconds, so it is done per event and never per token. Before `configure_metrics` it does nothing.
Never use a job, session or user id as a label.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

_METER = metrics.get_meter("drover")

REQUESTS = _METER.create_counter(
    "drover_requests_total", description="HTTP requests answered, by route template, method and status."
)
TOKENS = _METER.create_counter(
    "drover_tokens_total", description="Tokens processed, by kind: prompt, completion, cached or embedding."
)
TIME_TO_FIRST_TOKEN = _METER.create_histogram(
    "drover_time_to_first_token_seconds", unit="s", description="From the accepted request to its first token."
)
INTER_TOKEN = _METER.create_histogram(
    "drover_inter_token_seconds", unit="s", description="Between two consecutive token events of one job."
)
BATCH_SIZE = _METER.create_histogram("drover_batch_size", description="Sequences in one decode step.")
MODEL_LOAD = _METER.create_histogram("drover_model_load_seconds", unit="s", description="Time to load a model.")
MODEL_EVICTIONS = _METER.create_counter("drover_model_evictions_total", description="Models evicted from the cache.")
PREFIX_CACHE_TOKENS = _METER.create_counter(
    "drover_prefix_cache_tokens_total", description="Prompt tokens, by result: hit (found in the KV cache) or miss."
)
LEASE_LOST = _METER.create_counter("drover_lease_lost_total", description="Jobs whose lease this worker lost.")
FENCED = _METER.create_counter("drover_fenced_total", description="Appends refused because the epoch was old.")
HINT_REPAIRED = _METER.create_counter("drover_hint_repaired_total", description="Hints that the reaper sent again.")
GAP_REPAIRED = _METER.create_counter(
    "drover_gap_repaired_total", description="Gaps in a live stream that were filled from the token log."
)

ObservedGauge = Literal[
    "drover_queue_depth",
    "drover_queue_oldest_age_seconds",
    "drover_models_loaded",
    "drover_kv_cache_usage_ratio",
    "drover_streams_active",
]
Reading = tuple[float, Mapping[str, str]]
"""A value and its labels."""

_DESCRIPTIONS: dict[ObservedGauge, str] = {
    "drover_queue_depth": "Jobs that wait, by queue.",
    "drover_queue_oldest_age_seconds": "Age of the oldest job that waits, by queue.",
    "drover_models_loaded": "Models that this process holds.",
    "drover_kv_cache_usage_ratio": "Used part of the KV cache, by model.",
    "drover_streams_active": "Event streams that are open.",
}
_readers: dict[ObservedGauge, Callable[[], Iterable[Reading]]] = {}


def observe(gauge: ObservedGauge, read: Callable[[], Iterable[Reading]]) -> None:
    """Have `read` called whenever the metrics are rendered, in any thread; it must not block. The last given wins."""
    _readers[gauge] = read


def _callback(gauge: ObservedGauge) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def collect(_options: CallbackOptions) -> Iterable[Observation]:
        read = _readers.get(gauge)
        return [Observation(value, dict(labels)) for value, labels in read()] if read else []

    return collect


_GAUGES = [
    _METER.create_observable_gauge(gauge, callbacks=[_callback(gauge)], description=_DESCRIPTIONS[gauge])
    for gauge in get_args(ObservedGauge)
]
