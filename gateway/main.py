"""`python -m gateway.main`: starts the gateway."""

import sys

from gateway.app import build_app
from gateway.settings import GatewaySettings
from shared.http import TimeLimits, serve
from shared.settings import ConfigurationError
from shared.telemetry import configure_logging, configure_metrics, configure_traces


def main() -> None:
    """Serve until SIGTERM. A configuration that cannot be used ends it with one sentence and status 1."""
    try:
        settings = GatewaySettings.load()
        if not settings.internal_token.get_secret_value():
            raise ConfigurationError(
                "DROVER_INTERNAL_TOKEN is missing: set it to a random secret, the same for every service."
            )
        configure_logging("gateway", settings.log_level)
        configure_metrics("gateway")
        configure_traces("gateway", settings)
        app = build_app(settings)
    except ConfigurationError as error:
        sys.exit(str(error))
    serve(
        app,
        settings.host,
        settings.port,
        settings.log_level,
        port_setting="GATEWAY_PORT",
        graceful_shutdown_s=settings.shutdown_grace_s,
        time_limits=TimeLimits(
            head_s=settings.head_timeout_s,
            body_s=settings.body_timeout_s,
            write_s=2 * settings.send_stall_s,  # for answers that are no event streams, which notice it themselves
        ),
    )


if __name__ == "__main__":
    main()
