"""Starts the session service: `python -m session_service.main`."""

import sys

from session_service.app import create_app
from session_service.settings import SessionSettings
from session_service.startup import require_schema, wait_for_postgres, wait_for_redis
from shared.http import serve
from shared.settings import ConfigurationError
from shared.telemetry import configure_logging, configure_metrics, configure_traces


def main() -> None:
    """Serve until SIGTERM. Exit status 1 with one sentence on stderr if the service cannot start."""
    try:
        settings = SessionSettings.load().require_pepper().require_internal_token()
        app = create_app(settings)
        configure_logging("session-service", settings.log_level)
        configure_metrics("session-service")
        configure_traces("session-service", settings)
        wait_for_postgres(settings)
        wait_for_redis(settings)
        require_schema(settings)
    except ConfigurationError as error:
        sys.exit(str(error))
    serve(app, settings.host, settings.port, settings.log_level, port_setting="SESSION_PORT")


if __name__ == "__main__":
    main()
