"""The inbox: what is handed over is found until it is forgotten, and a closed one takes nothing."""

import threading

import pytest

from shared.catalogue import ModelEntry
from shared.errors import ModelUnavailableError
from tests.fakes.sequences import a_job, a_request
from worker.choices import sequences_of
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.inbox import Inbox
from worker.sequence import Sequence

ENGINE = SimulatedEngine(ModelEntry(name="m", file="m", kind="chat", context_length=64), SimulatedOptions())


def an_answer(job_id: str, epoch: int = 1) -> list[Sequence]:
    return sequences_of(a_request(a_job(job_id), epoch=epoch), [1], ENGINE)


def test_answers_are_taken_once_in_their_order_of_arrival() -> None:
    inbox = Inbox()
    first, second = an_answer("one"), an_answer("two")
    inbox.put(first)
    inbox.put(second)

    assert inbox.take() == [first, second]
    assert inbox.take() == []
    assert first[0].answer.arrival < second[0].answer.arrival


def test_an_answer_is_found_by_job_and_epoch_until_it_is_forgotten() -> None:
    inbox = Inbox()
    old, young = an_answer("one", 1)[0].answer, an_answer("one", 2)
    inbox.put(young)

    assert inbox.find("one", 1) is None
    assert inbox.find("one", 2) is young[0].answer
    inbox.forget(old)
    assert inbox.unfinished == 1
    inbox.forget(young[0].answer)
    assert inbox.unfinished == 0


def test_a_closed_inbox_abandons_what_it_has_and_takes_nothing() -> None:
    inbox = Inbox()
    (sequence,) = an_answer("one")
    inbox.put([sequence])

    inbox.close()

    assert sequence.is_over
    assert not inbox.wait(lambda: True)
    with pytest.raises(ModelUnavailableError):
        inbox.put(an_answer("two"))


def test_the_decode_thread_waits_until_something_arrives() -> None:
    inbox = Inbox()
    woken = threading.Event()
    thread = threading.Thread(target=lambda: (inbox.wait(lambda: False), woken.set()))  # type: ignore[func-returns-value]
    thread.start()

    inbox.wake()
    was_woken_for_nothing = woken.wait(0.02)
    inbox.put(an_answer("one"))
    thread.join(20)

    assert not was_woken_for_nothing
    assert woken.is_set()
