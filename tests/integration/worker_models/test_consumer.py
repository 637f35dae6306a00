"""The consumer follows the models that it is told to, at run time, and loses no hint over it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
import redis

from shared.hints import celery_app, queue_of, send_hint
from worker.consumer import Consumer


class Taken:
    """The ids of the hints that were taken, in order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, job_id: str) -> None:
        with self._changed:
            self.ids.append(job_id)
            self._changed.notify_all()

    def wait_for(self, count: int, timeout_s: float = 20.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.ids) >= count, timeout_s)


def until(holds: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    end = time.monotonic() + timeout_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


Send = Callable[[str, str], None]


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def send(redis_url: str) -> Iterator[Send]:
    """Sends the hint of a job (its id, its model), as the gateway does."""
    app = celery_app(redis_url)
    yield lambda job_id, model: send_hint(app, job_id, model)
    app.close()


@pytest.fixture
def consumer(redis_url: str, taken: Taken) -> Iterator[Consumer]:
    consumer = Consumer(celery_app(redis_url), taken, concurrency=4, worker_id=uuid4().hex)
    consumer.start()
    assert until(lambda: consumer.is_consuming)
    yield consumer
    consumer.stop()
    consumer.join(10)


def test_without_a_model_nothing_is_taken(consumer: Consumer, taken: Taken, send: Send) -> None:
    send("1", "a")

    time.sleep(0.3)

    assert taken.ids == []
    consumer.follow(["a"])
    assert taken.wait_for(1)


def test_a_model_that_is_followed_no_more_keeps_its_hints(
    consumer: Consumer, taken: Taken, send: Send, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    consumer.follow(["a", "b"])
    send("1", "a")
    assert taken.wait_for(1)

    consumer.follow(["b"])
    time.sleep(0.3)
    send("2", "a")
    send("3", "b")

    assert taken.wait_for(2)
    assert taken.ids == ["1", "3"]
    assert until(lambda: len(client.keys(f"q:{queue_of('a')}*")) == 1)
    consumer.follow(["a"])
    assert taken.wait_for(3)
    client.close()


def test_no_hint_is_lost_while_the_models_change_all_the_time(consumer: Consumer, taken: Taken, send: Send) -> None:
    sent = [str(number) for number in range(400)]

    def change() -> None:
        for round_number in range(100):
            consumer.follow([["a"], ["b"], ["a", "b"], []][round_number % 4])
            time.sleep(0.01)
        consumer.follow(["a", "b"])

    changing = threading.Thread(target=change)
    changing.start()
    for number in sent:
        send(number, "ab"[int(number) % 2])
    changing.join()

    assert taken.wait_for(len(sent))
    assert Counter(taken.ids) == Counter(sent)


def test_a_pause_takes_nothing_and_ends_with_all(consumer: Consumer, taken: Taken, send: Send) -> None:
    consumer.follow(["a"])
    send("1", "a")
    assert taken.wait_for(1)

    assert consumer.pause()
    send("2", "a")
    time.sleep(0.3)
    assert taken.ids == ["1"]
    consumer.resume()

    assert taken.wait_for(2)
