"""docker-compose.yml, read once."""

from typing import Any

import pytest

from tests.unit.deploy.files import compose_with_defaults


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return compose_with_defaults()


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its services by name."""
    found: dict[str, dict[str, Any]] = compose["services"]
    return found
