import time
from collections import deque
from collections.abc import Iterator

import pytest

from shared.bodies.messages import Message
from shared.catalogue import ModelEntry
from shared.errors import InferenceError
from shared.events import FinalEvent, TokensEvent
from shared.job import GenerateJob
from shared.ledger import Hint, Lease
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.loaded_model import LoadedModel
from worker.running import LOAD_STALL_S, URGENT_TOKENS, RunningJob, RunningJobs
from worker.sequence import SequenceRequest

ENTRY = ModelEntry(name="sim", file="sim.gguf", kind="chat", context_length=4096, template="chatml")


def new_job(**fields: object) -> GenerateJob:
    message = Message(role="user", content="Hello")
    return GenerateJob(
        id="job",
        tenant_id="t",
        key_id="k",
        model="sim",
        model_digest="",
        messages=(message,),
        **fields,  # type: ignore[arg-type]
    )


def new_running(seq: int = 0, epoch: int = 1) -> tuple[RunningJob, list[bool]]:
    notified: list[bool] = []
    return RunningJob(new_job(), epoch=epoch, seq=seq, notify=notified.append), notified


def token(seq: int) -> TokensEvent:
    return TokensEvent("job", seq, 1, [100 + seq], [f"t{seq}"])


FINAL = FinalEvent("job", 3, 1, "stop")


@pytest.fixture
def loaded() -> Iterator[LoadedModel]:
    engine = SimulatedEngine(ENTRY, SimulatedOptions(step_ms=1, answer_tokens=100_000))
    model = LoadedModel(ENTRY, engine, stall_s=5, prefill_stall_s=5)
    yield model
    model.close()


def submit(running: RunningJob, loaded: LoadedModel) -> None:
    running.submit_to(loaded, SequenceRequest(job=running.job, epoch=running.epoch, logged=[], emit=running.emit))


def test_tokens_are_taken_as_one_event_in_order() -> None:
    running, _ = new_running()
    for seq in (1, 2, 3):
        running.emit(token(seq))
    running.emit(FINAL)

    batch = running.take()

    assert batch is not None
    assert batch.tokens == TokensEvent("job", 1, 1, [101, 102, 103], ["t1", "t2", "t3"])
    assert batch.final == FINAL
    assert running.take() is None


def test_the_first_token_and_the_final_event_are_urgent_and_the_others_are_not() -> None:
    running, notified = new_running()

    running.emit(token(1))
    running.emit(token(2))
    running.emit(FINAL)

    assert notified == [True, False, True]


def test_eight_waiting_tokens_are_urgent() -> None:
    running, notified = new_running()
    running.emit(token(1))
    running.take()

    for seq in range(2, URGENT_TOKENS + 2):
        running.emit(token(seq))

    assert notified[1:] == [False] * (URGENT_TOKENS - 1) + [True]


def test_nothing_is_taken_in_after_the_final_event() -> None:
    running, _ = new_running()
    running.emit(FINAL)

    running.emit(token(4))

    batch = running.take()
    assert batch is not None
    assert batch.tokens is None


def test_a_cancel_before_the_model_is_there_ends_the_job_at_the_tokens_it_has() -> None:
    running, _ = new_running(seq=5)

    running.cancel()
    running.cancel()

    batch = running.take()
    assert batch is not None
    assert batch.final is not None
    assert (batch.final.finish_reason, batch.final.last_seq) == ("cancelled", 5)
    assert running.take() is None


def test_a_job_that_was_ended_while_its_model_loaded_is_not_submitted(loaded: LoadedModel) -> None:
    running, _ = new_running()
    running.expire()

    submit(running, loaded)

    assert loaded.unfinished == 0
    batch = running.take()
    assert batch is not None
    assert batch.final is not None
    assert batch.final.error is not None
    assert batch.final.error["code"] == "deadline_exceeded"


def test_a_failure_is_one_explicit_error() -> None:
    running, _ = new_running()

    running.fail(InferenceError())

    batch = running.take()
    assert batch is not None
    assert batch.final is not None
    assert batch.final.error == InferenceError().body()["error"]


def test_a_halted_job_keeps_what_it_has_emitted_and_decodes_no_further(loaded: LoadedModel) -> None:
    running, _ = new_running()
    submit(running, loaded)
    while not running.has_outgoing():
        pass

    running.halt()
    batch = running.take()
    running.emit(token(1))

    assert batch is not None
    assert batch.tokens is not None
    assert batch.final is None
    assert running.take() is None
    assert not running.is_over


def test_an_abandoned_job_is_over_and_says_nothing_more() -> None:
    running, _ = new_running()
    running.emit(token(1))

    assert running.abandon()

    assert running.is_over
    assert running.take() is None
    assert not running.abandon()


def test_a_new_claim_of_a_job_abandons_the_old_one() -> None:
    jobs = RunningJobs()
    old, _ = new_running(epoch=1)
    new, _ = new_running(epoch=3)

    with jobs.hold(old):
        with jobs.hold(new):
            assert old.is_over
            assert not new.is_over
            assert jobs.all() == [new]
        assert jobs.all() == []
    assert len(jobs) == 0


def test_an_old_claim_that_comes_late_is_abandoned_and_the_new_one_goes_on() -> None:
    jobs = RunningJobs()
    old, _ = new_running(epoch=1)
    new, _ = new_running(epoch=3)

    with jobs.hold(new), jobs.hold(old):
        assert old.is_over
        assert not new.is_over
        assert jobs.all() == [new]
    assert len(jobs) == 0


def test_a_job_that_is_halted_while_it_emits_stays_halted() -> None:
    class HaltedMeanwhile(deque[TokensEvent | FinalEvent]):
        """Another thread's halt comes when the event is in and `emit` has not ended."""

        def append(self, event: TokensEvent | FinalEvent) -> None:
            super().append(event)
            running.halt()

    running, _ = new_running()
    running._outgoing = HaltedMeanwhile()

    running.emit(token(1))

    assert running.is_closed


def test_a_load_that_gets_no_further_hangs_one_day() -> None:
    running, _ = new_running()
    now = time.monotonic()

    running.note_load(0.5, now + LOAD_STALL_S - 1)

    assert not running.is_stalled(now + LOAD_STALL_S + 1)
    running.note_load(0.5, now + LOAD_STALL_S + 1)
    assert running.is_stalled(now + 2 * LOAD_STALL_S)


def test_a_job_that_was_ended_while_its_model_loads_hangs_no_more() -> None:
    running, _ = new_running()

    running.cancel()

    assert not running.is_stalled(time.monotonic() + 2 * LOAD_STALL_S)


def test_a_lease_tells_of_the_prompt_once_it_is_counted(loaded: LoadedModel) -> None:
    running, _ = new_running()
    before = running.lease()

    submit(running, loaded)

    assert before == Lease("job", 1)
    assert running.lease().prompt_tokens > 0
    assert running.lease().uncounted_tokens == 0


def test_what_an_earlier_life_did_not_count_is_no_part_of_the_answer() -> None:
    job = new_job(echo=True, n=3)
    running = RunningJob(job, epoch=2, seq=25, notify=lambda _: None, prompt_tokens=7, uncounted_tokens=21)

    running.cancel()
    batch = running.take()

    assert running.lease() == Lease("job", 2, prompt_tokens=7, uncounted_tokens=21)
    assert batch is not None
    assert batch.final is not None
    assert (batch.final.usage.prompt_tokens, batch.final.usage.completion_tokens) == (7, 4)


def test_the_hint_of_a_job_with_tokens_goes_first() -> None:
    (new, _), (begun, _) = new_running(), new_running(seq=3)

    assert new.hint() == Hint("job", "sim", "interactive")
    assert begun.hint().is_begun
    new.has_progressed = True
    assert new.hint().is_begun
