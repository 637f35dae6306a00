"""The draws of a step stay in order, and one's failure is its own."""

import threading
from typing import Any

import pytest

from shared.errors import DroverError, InferenceError
from worker.engine.base import Draw, Sampled
from worker.engine.draws import ParallelDraws, draw_in_turn


class Echo:
    """Says its row and its place as one number, and fails at row 3."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def sample(self, row: int, seq: int) -> Sampled:
        self.threads.add(threading.get_ident())
        if row == 3:
            raise InferenceError("row 3")
        if row == 4:
            raise ZeroDivisionError
        return Sampled(100 * row + seq)

    def close(self) -> None:
        return


def told(results: list[Sampled | DroverError]) -> list[Any]:
    return [result.token if isinstance(result, Sampled) else type(result) for result in results]


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 16])
def test_results_stand_where_their_draws_stood(threads: int, count: int) -> None:
    draws = ParallelDraws(threads, "test")
    asked = [Draw(Echo(), row, row + 1) for row in range(count)]

    found = told(draws.draw(asked))

    assert found == told(draw_in_turn(asked))
    assert found == [InferenceError if row in (3, 4) else 101 * row + 1 for row in range(count)]
    draws.close()
    draws.close()


def test_several_threads_draw() -> None:
    draws = ParallelDraws(2, "test")
    echo = Echo()

    for _ in range(50):
        draws.draw([Draw(echo, row, 1) for row in range(3)])

    assert len(echo.threads) == 2
    draws.close()
