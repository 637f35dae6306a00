"""`python -m worker.main`: starts the worker and ends it at a signal."""

import os
import signal
import sys
from types import FrameType

from shared.settings import ConfigurationError
from shared.telemetry import configure_logging, configure_metrics, configure_traces, shutdown_traces
from worker.service import Service
from worker.settings import WorkerSettings


def main() -> int:
    """Run the worker; the exit status: 0 after a drain, 1 with a sentence on stderr if it could not start."""
    try:
        settings = WorkerSettings.load()
        configure_logging("worker", settings.log_level)
        configure_metrics("worker")
        configure_traces("worker", settings, instance_id=settings.worker_id)
        service = Service(settings)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    _end_at_signals(service)
    status = service.run()
    shutdown_traces()
    if service.failure:
        sys.stderr.write(f"{service.failure}\n")
    return status


def _end_at_signals(service: Service) -> None:
    """The first SIGTERM or SIGINT drains, the second one ends the process at once."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if service.stopping.is_set():
            os._exit(128 + number)
        service.stopping.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


if __name__ == "__main__":
    exit_status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: threads of Celery may wait for a broker that is away, and every job is handed over by now.
    os._exit(exit_status)
