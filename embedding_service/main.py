"""Starts the embedding service: `python -m embedding_service.main`."""

import sys

from embedding_service.app import create_app
from embedding_service.settings import EmbeddingSettings
from shared.catalogue import Catalogue
from shared.http import serve
from shared.settings import ConfigurationError
from shared.telemetry import configure_logging, configure_metrics, configure_traces


def main() -> None:
    """Serve until told to stop. Exits with a sentence on stderr and status 1 if the configuration cannot be used."""
    try:
        settings = EmbeddingSettings.load()
        catalogue = Catalogue.load(settings.models_dir)
    except ConfigurationError as error:
        sys.exit(str(error))
    configure_logging("embedding-service", settings.log_level)
    configure_metrics("embedding-service")
    configure_traces("embedding-service", settings)
    serve(
        create_app(settings, catalogue),
        settings.host,
        settings.port,
        settings.log_level,
        port_setting="EMBEDDING_PORT",
        graceful_shutdown_s=settings.graceful_shutdown_s,
    )


if __name__ == "__main__":
    main()
