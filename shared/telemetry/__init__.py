"""What the services tell about themselves: JSON log lines and Prometheus metrics."""

from shared.telemetry.exposition import configure_metrics, render_metrics
from shared.telemetry.logs import configure_logging, log_context

__all__ = ["configure_logging", "configure_metrics", "log_context", "render_metrics"]
