"""The stack that fault tests stand on: what differs from `drover up` as it comes, with the reasons."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.stack import Stack, running_stack

STEP_MS = 15
"""A stream of 150 tokens takes more than two seconds, so that a kill comes into its middle."""

POISON = "arsenic and old lace"
"""A request that says so kills the worker that decodes it."""


@contextmanager
def fault_stack(
    *, gateways: int = 2, workers: int = 2, lease_s: float = 1.5, step_ms: int = STEP_MS, **environment: str
) -> Iterator[Stack]:
    """A stack with the simulated engine; `environment` adds settings of the services."""
    settings = {
        "WORKER_SIMULATED_STEP_MS": str(step_ms),
        "WORKER_SIMULATED_POISON": POISON,
        "WORKER_LEASE_S": str(lease_s),
        "WORKER_DRAIN_GRACE_S": "0.5",  # so that a drain hands jobs over instead of finishing them
        "GATEWAY_PING_INTERVAL_S": "1.5",  # a client of ours takes 6 s of silence for a dead gateway
        "SESSION_DEFAULT_REQUESTS_PER_MINUTE": "1000000",
        "SESSION_DEFAULT_CONCURRENT_JOBS": "10000",
        "DROVER_LOG_LEVEL": "INFO",
        **environment,
    }
    shape = ("--gateways", str(gateways), "--workers", str(workers), "--engine", "simulated", "--hung-after", "30")
    with running_stack(*shape, **settings) as stack:
        yield stack
