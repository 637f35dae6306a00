"""Draws of one step, one after the other or in parallel threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from shared.errors import DroverError, InferenceError
from worker.engine.base import Draw, Sampled

_log = structlog.get_logger(__name__)


def draw_in_turn(draws: Sequence[Draw]) -> list[Sampled | DroverError]:
    """Every draw's token, or its own error."""
    return [draw_one(draw) for draw in draws]


def draw_one(draw: Draw) -> Sampled | DroverError:
    try:
        return draw.sampler.sample(draw.row, draw.seq)
    except DroverError as error:
        return error
    except Exception as error:
        _log.error("sampling_failed", exc_info=error)
        return InferenceError()


class ParallelDraws:
    """Threads for the draws of one model, begun when they are first needed; used by one thread at a time."""

    def __init__(self, threads: int, name: str):
        self._threads = threads
        self._name = name
        self._pool: ThreadPoolExecutor | None = None

    def draw(self, draws: Sequence[Draw]) -> list[Sampled | DroverError]:
        """As draw_in_turn. The draws are dealt out in equal hands, of two at least: a hand-over costs some 50 µs."""
        hands = min(self._threads, (len(draws) + 1) // 2)
        if hands < 2:
            return draw_in_turn(draws)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads - 1, thread_name_prefix=f"sample-{self._name}")
        others = [self._pool.submit(draw_in_turn, draws[hand::hands]) for hand in range(1, hands)]
        results: list[Sampled | DroverError] = [InferenceError()] * len(draws)
        results[0::hands] = draw_in_turn(draws[0::hands])
        for hand, future in enumerate(others, start=1):
            results[hand::hands] = future.result()
        return results

    def close(self) -> None:
        """End the threads; twice is harmless."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
