"""The waiting room: interactive before batch, the older first, and the younger gives way first."""

from shared.catalogue import ModelEntry
from shared.job import Priority
from tests.fakes.sequences import a_job, a_request
from worker.choices import sequences_of
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.sequence import Sequence
from worker.waiting_room import WaitingRoom, youngest

ENGINE = SimulatedEngine(ModelEntry(name="m", file="m", kind="chat", context_length=64), SimulatedOptions())


def arrived(number: int, priority: Priority = "interactive", n: int = 1) -> list[Sequence]:
    sequences = sequences_of(a_request(a_job(f"j{number}", priority=priority, n=n)), [1], ENGINE)
    sequences[0].answer.arrival = number
    return sequences


def test_interactive_jobs_go_before_batch_jobs_and_old_ones_before_young_ones() -> None:
    room = WaitingRoom()
    first, second = arrived(1, "batch"), arrived(2)
    third, fourth = arrived(3, "batch"), arrived(4, n=2)

    for sequence in [*fourth, *third, *second, *first]:
        room.add(sequence)

    assert list(room) == [*second, *fourth, *first, *third]


def test_one_that_comes_back_gets_its_old_place() -> None:
    room = WaitingRoom()
    ((old,), (young,)) = (arrived(1), arrived(2))
    room.add(young)

    room.add(old)

    assert list(room) == [old, young]


def test_only_those_that_are_kept_stay() -> None:
    room = WaitingRoom()
    ((old,), (young,)) = (arrived(1), arrived(2))
    room.add(old)
    room.add(young)

    room.keep(lambda sequence: sequence is young)
    kept = list(room)
    room.remove(young)

    assert (kept, len(room)) == ([young], 0)


def test_the_youngest_of_the_lowest_class_gives_way() -> None:
    ((old,), (batch,), (young,)) = (arrived(1), arrived(2, "batch"), arrived(3))

    assert youngest([old, batch, young]) is batch
    assert youngest([old, young]) is young
