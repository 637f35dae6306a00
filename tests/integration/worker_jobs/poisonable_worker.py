"""A worker whose engine crashes the process at a prompt with the word POISON, as a bug in native code would."""

import os
import signal
import sys
from collections.abc import Sequence

from shared.job import GenerateJob
from worker.engine.base import Sampler
from worker.engine.simulated import SimulatedEngine
from worker.main import main

_new_sampler = SimulatedEngine.new_sampler


def _crash_or_sample(
    self: SimulatedEngine, job: GenerateJob, prompt: Sequence[int], generated: Sequence[int], choice: int
) -> Sampler:
    if any("POISON" in str(message.content) for message in job.messages):
        os.kill(os.getpid(), signal.SIGKILL)
    return _new_sampler(self, job, prompt, generated, choice)


if __name__ == "__main__":
    SimulatedEngine.new_sampler = _crash_or_sample  # type: ignore[method-assign]
    sys.exit(main())
