import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

import numpy as np
import pytest

from embedding_service.micro_batcher import MicroBatcher, TokenLists
from shared.errors import InferenceError, QueueFullError, UnavailableError

WAIT_S = 30


class Recorder:
    """An embedding whose vector is the text's first token; keeps the passes and can be held back."""

    def __init__(self) -> None:
        self.passes: list[list[Sequence[int]]] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.has_begun = threading.Event()
        self.error: Exception | None = None

    def embed(self, token_lists: TokenLists) -> np.ndarray:
        self.passes.append(list(token_lists))
        self.has_begun.set()
        assert self.may_run.wait(WAIT_S)
        if self.error:
            raise self.error
        return np.array([[tokens[0]] for tokens in token_lists], np.float32)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batcher(recorder: Recorder) -> Iterator[MicroBatcher]:
    batcher = MicroBatcher(recorder.embed, max_texts=4, max_tokens=10, max_waiting_texts=20, model="m")
    yield batcher
    recorder.may_run.set()
    batcher.close()


def hold(recorder: Recorder, batcher: MicroBatcher) -> None:
    """Keep the thread busy with a first pass, so that what comes now waits."""
    recorder.may_run.clear()
    batcher.submit([[99]])
    assert recorder.has_begun.wait(WAIT_S)


def test_a_request_gets_one_row_for_each_text_in_order(batcher: MicroBatcher) -> None:
    vectors = batcher.submit([[7, 1], [8], [9, 2, 3]]).result(WAIT_S)

    assert vectors.tolist() == [[7], [8], [9]]


def test_requests_that_arrive_during_a_pass_share_the_next(recorder: Recorder, batcher: MicroBatcher) -> None:
    hold(recorder, batcher)
    futures = [batcher.submit([[number]]) for number in (1, 2, 3)]
    recorder.may_run.set()

    assert [future.result(WAIT_S).tolist() for future in futures] == [[[1]], [[2]], [[3]]]
    assert recorder.passes == [[[99]], [[1], [2], [3]]]


def test_texts_are_in_flight_from_their_arrival_to_the_end_of_their_pass(
    recorder: Recorder, batcher: MicroBatcher
) -> None:
    hold(recorder, batcher)
    waiting = batcher.submit([[1], [2], [3]])
    during = batcher.in_flight
    recorder.may_run.set()
    waiting.result(WAIT_S)

    batcher.close()  # the last pass has its result before it is over
    assert (during, batcher.in_flight) == (4, 0)


def test_a_large_request_takes_turns_with_a_small_one(recorder: Recorder, batcher: MicroBatcher) -> None:
    hold(recorder, batcher)
    large = batcher.submit([[number] for number in range(10, 18)])
    small = batcher.submit([[1]])
    recorder.may_run.set()

    assert small.result(WAIT_S).tolist() == [[1]]
    assert large.result(WAIT_S).tolist() == [[number] for number in range(10, 18)]
    assert recorder.passes[1] == [[10], [1], [11], [12]]
    assert all(len(texts) <= 4 for texts in recorder.passes)


def test_a_pass_never_has_more_tokens_than_fit(recorder: Recorder, batcher: MicroBatcher) -> None:
    hold(recorder, batcher)
    future = batcher.submit([[1] * 6, [2] * 4, [3] * 10, [4]])
    recorder.may_run.set()

    assert future.result(WAIT_S).tolist() == [[1], [2], [3], [4]]
    assert [[len(text) for text in texts] for texts in recorder.passes] == [[1], [6, 4], [10], [1]]


def test_a_cancelled_request_is_dropped(recorder: Recorder, batcher: MicroBatcher) -> None:
    hold(recorder, batcher)
    cancelled = batcher.submit([[1], [2]])
    kept = batcher.submit([[3]])
    cancelled.cancel()
    recorder.may_run.set()

    assert kept.result(WAIT_S).tolist() == [[3]]
    with pytest.raises(CancelledError):
        cancelled.result(WAIT_S)
    assert recorder.passes == [[[99]], [[3]]]


def test_a_failed_pass_fails_its_requests_and_the_next_goes_on(recorder: Recorder, batcher: MicroBatcher) -> None:
    recorder.error = RuntimeError("broken")
    failed = batcher.submit([[1], [2], [3], [4], [5]])

    with pytest.raises(InferenceError):
        failed.result(WAIT_S)
    recorder.error = None

    assert batcher.submit([[6]]).result(WAIT_S).tolist() == [[6]]


def test_too_many_waiting_texts_are_refused(recorder: Recorder, batcher: MicroBatcher) -> None:
    hold(recorder, batcher)
    batcher.submit([[1]] * 20)

    with pytest.raises(QueueFullError):
        batcher.submit([[2]])


def test_room_comes_back_when_texts_are_taken_or_dropped(recorder: Recorder, batcher: MicroBatcher) -> None:
    hold(recorder, batcher)
    batcher.submit([[1]] * 10).cancel()
    taken = batcher.submit([[1]] * 10)
    recorder.may_run.set()
    taken.result(WAIT_S)

    assert len(batcher.submit([[2]] * 20).result(WAIT_S)) == 20


def test_what_waits_when_the_service_stops_is_told_so(recorder: Recorder) -> None:
    batcher = MicroBatcher(recorder.embed, max_texts=4, max_tokens=10, max_waiting_texts=20, model="m")
    hold(recorder, batcher)
    waiting = batcher.submit([[1]])
    closing = threading.Thread(target=batcher.close)
    closing.start()
    with batcher._changed:
        batcher._changed.wait_for(lambda: batcher._is_closed, WAIT_S)
    recorder.may_run.set()
    closing.join(WAIT_S)

    with pytest.raises(UnavailableError):
        waiting.result(WAIT_S)
    with pytest.raises(UnavailableError):
        batcher.submit([[2]])
