"""The drain: what happens between SIGTERM and the exit, so that other workers go on where this one stopped."""

import time

import structlog

from worker.consumer import Consumer
from worker.handover import Handover
from worker.presence import Presence
from worker.quarantine import Quarantine
from worker.running import RunningJobs

log = structlog.get_logger(__name__)

HANDOVER_S = 0.7
"""For everything after the grace; whatever is not handed over by then, the reaper gives away a lease later."""

_CONSUMER_END_S = 1.2
_LOOK_EVERY_S = 0.02


class Drain:
    """Stops taking jobs, lets the running ones end for the grace, gives the rest back to their queues."""

    def __init__(
        self,
        jobs: RunningJobs,
        handover: Handover,
        quarantine: Quarantine,
        consumer: Consumer,
        presence: Presence,
        *,
        grace_s: float,
    ):
        self._jobs = jobs
        self._handover = handover
        self._quarantine = quarantine
        self._consumer = consumer
        self._presence = presence
        self._grace_s = grace_s

    def run(self) -> None:
        """Do it; returns at most 2 s after the grace, or a little later when Redis is away."""
        log.info("drain_begins", jobs=len(self._jobs), grace_s=self._grace_s)
        grace_ends = time.monotonic() + self._grace_s
        self._presence.drain()
        self._quarantine.stop()
        self._consumer.stop()
        while self._jobs and time.monotonic() < grace_ends:
            time.sleep(_LOOK_EVERY_S)
        self._consumer.join(_CONSUMER_END_S)  # or it might take the hints that are sent below
        released = self._handover.hand_over(timeout_s=HANDOVER_S)
        log.info("drain_ends", released=released)
        try:
            self._presence.withdraw()
        except Exception as error:  # it expires by itself
            log.warning("presence_not_withdrawn", error=repr(error))
