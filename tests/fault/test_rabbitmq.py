"""F1, F3 and F12 with RabbitMQ as the broker of the hints; the ledger stays in Redis."""

from collections.abc import Callable, Iterator

import pytest

from tests.fault import test_f01_worker_killed as f01
from tests.fault import test_f03_session_service_killed as f03
from tests.fault import test_f12_rolling_restart as f12
from tests.fault.arena import Arena, Ground
from tests.fault.ground import fault_stack
from tests.rabbitmq import rabbitmq_server


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """Instead of the one that hints over Redis."""
    with rabbitmq_server() as url, fault_stack(lease_s=1.0, CELERY_BROKER_URL=url) as stack:
        yield Ground(stack)


@pytest.mark.parametrize("scenario", [f01.scenario, f03.scenario, f12.scenario], ids=["F1", "F3", "F12"])
def test_a_fault_leaves_streams_exact_with_rabbitmq(arena: Arena, scenario: Callable[[Arena], None]) -> None:
    scenario(arena)
