"""The metrics in Prometheus' text form: OpenTelemetry's SDK with a registry of our own."""

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from shared.telemetry import instruments

_REGISTRY = CollectorRegistry()

BUCKETS: dict[str, tuple[float, ...]] = {
    # A tiny model answers in milliseconds, a queue under load in a minute.
    "drover_time_to_first_token_seconds": (
        0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60,
    ),
    # The last ones are pauses, while a worker's jobs wait for another.
    "drover_inter_token_seconds": (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    "drover_request_duration_seconds": (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    "drover_job_duration_seconds": (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600),
    "drover_batch_size": (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128, 256),
    "drover_model_load_seconds": (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300),
}  # fmt: skip


def configure_metrics(service: str) -> None:
    """Begin to record, in the name of `service`. Once per process: a second call changes nothing."""
    if isinstance(metrics.get_meter_provider(), MeterProvider):
        return
    ProcessCollector(registry=_REGISTRY)
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=_REGISTRY)
    views = [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(boundaries))
        for name, boundaries in BUCKETS.items()
    ]
    resource = Resource.create({"service.name": f"drover-{service}"})
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader], resource=resource, views=views))
    instruments.count_from_zero(service)


def render_metrics() -> tuple[bytes, str]:
    """All metrics as text, and its content type. Calls the readers given to `instruments.observe`."""
    return generate_latest(_REGISTRY), CONTENT_TYPE_LATEST


__all__ = ["configure_metrics", "instruments", "render_metrics"]
