"""What the services tell about themselves: JSON log lines, Prometheus metrics and traces."""

from shared.telemetry.exposition import configure_metrics, render_metrics
from shared.telemetry.logs import configure_logging, log_context
from shared.telemetry.trace_export import configure_traces, shutdown_traces

__all__ = [
    "configure_logging",
    "configure_metrics",
    "configure_traces",
    "log_context",
    "render_metrics",
    "shutdown_traces",
]
