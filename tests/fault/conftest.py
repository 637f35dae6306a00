"""One stack with the simulated engine for all fault tests: its text depends on the prompt alone."""

from collections.abc import Iterator

import pytest

from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def running() -> Iterator[Stack]:
    pace = {"WORKER_SIMULATED_STEP_MS": "15"}  # a stream takes seconds, so that a kill comes into its middle
    with running_stack("--gateways", "2", "--workers", "2", "--engine", "simulated", **pace) as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """The stack, whole again before and after each test."""
    running.wait_until_ready()
    yield running
    running.wait_until_ready()
