"""One stack with the simulated engine for all fault tests: its text depends on the prompt alone."""

import os
import re
from collections.abc import Iterator

import pytest

from tests.fault import report
from tests.fault.arena import Arena, Ground, Outcome
from tests.fault.ground import fault_stack

OUTCOMES: list[Outcome] = []


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    with fault_stack(lease_s=1.0) as stack:
        yield Ground(stack)


@pytest.fixture
def arena(ground: Ground, request: pytest.FixtureRequest) -> Iterator[Arena]:
    """The stack, whole again before each test; afterwards everything is judged."""
    number = re.match(r"test_f0*(\d+)_", request.path.name)
    name = f"F{number[1]}" if number else request.node.name
    ground.stack.wait_until_whole()
    made = Arena(ground, name, int(os.environ.get("FAULT_SEED", "7")))
    yield made
    outcome = made.outcome()
    OUTCOMES.append(outcome)
    assert outcome.has_passed, "\n".join(outcome.problems[:20])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of all fault tests that ran."""
    if OUTCOMES:
        terminalreporter.section("fault tests")
        terminalreporter.write(report.table(OUTCOMES))
