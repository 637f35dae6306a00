"""The batcher's loop, one step at a time, on the simulated engine without its waiting."""

import time
from collections.abc import Sequence as Ordered
from typing import Any

import pytest

from shared.catalogue import ModelEntry
from shared.errors import DeadlineExceededError, InferenceError, ModelUnavailableError
from shared.events import FinalEvent, TokensEvent
from shared.job import GenerateJob
from tests.fakes.sequences import Collector, a_job, a_request
from worker.answer import Ending
from worker.batcher import Batcher
from worker.choices import sequences_of
from worker.engine.base import DecodeError, KvFullError, Piece, Sampled
from worker.engine.simulated import SimulatedEngine, SimulatedOptions, SimulatedSampler
from worker.sequence import Begun, Sequence


class FailingEngine(SimulatedEngine):
    """A simulated engine whose next decodes, or every sampler with a certain seed, fail."""

    def __init__(self, *, slots: int = 4, batch_tokens: int = 32, context_length: int = 64):
        options = SimulatedOptions(slots=slots, batch_tokens=batch_tokens, step_ms=0, prompt_token_ms=0)
        super().__init__(ModelEntry(name="m", file="m", kind="chat", context_length=context_length), options)
        self.failures: list[Exception] = []
        self.kv_limit: int | None = None
        self.poison: int | None = None
        self.batches: list[list[Piece]] = []

    def decode(self, pieces: Ordered[Piece]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if any(self.poison in piece.tokens for piece in pieces):
            for piece in pieces:  # llama.cpp leaves the KV in any state
                self._held[piece.slot] = [-1]
            raise DecodeError("status -3")
        held = sum(map(len, self._held)) + sum(len(piece.tokens) for piece in pieces)
        if self.kv_limit is not None and held > self.kv_limit:
            raise KvFullError
        self.batches.append(list(pieces))
        super().decode(pieces)

    def new_sampler(
        self, job: GenerateJob, prompt: Ordered[int], generated: Ordered[int], choice: int
    ) -> SimulatedSampler:
        sampler = super().new_sampler(job, prompt, generated, choice)
        if job.sampling.seed == 666:
            sampler._length = -1
            sampler._ignore_eos = True
            sampler.sample = _fail  # type: ignore[method-assign]
        return sampler


def _fail(row: int, seq: int) -> Sampled:
    raise InferenceError("The sampler failed.")


@pytest.fixture
def engine() -> FailingEngine:
    return FailingEngine()


@pytest.fixture
def batcher(engine: FailingEngine) -> Batcher:
    return Batcher(engine)


def submit(
    batcher: Batcher, engine: FailingEngine, job_id: str = "j1", *, prompt: int = 5, epoch: int = 1,
    logged: list[TokensEvent] | None = None, collector: Collector | None = None, **fields: Any,
) -> Collector:  # fmt: skip
    collector = collector or Collector()
    request = a_request(a_job(job_id, **fields), collector, epoch=epoch, logged=logged)
    batcher.submit(sequences_of(request, [10 + len(job_id)] * prompt, engine))
    return collector


def run(batcher: Batcher, *, most: int = 500) -> int:
    """Step until nothing is left; how many steps it took."""
    for count in range(most):
        if not batcher.unfinished:
            return count
        batcher.step()
    raise AssertionError("the batcher does not come to an end")


def test_every_sampled_token_has_its_own_seq(batcher: Batcher, engine: FailingEngine) -> None:
    collector = submit(batcher, engine, max_tokens=5)

    run(batcher)

    assert [event.first_seq for event in collector.events] == [1, 2, 3, 4, 5]
    assert all(len(event.token_ids) == 1 for event in collector.events)
    assert (collector.final.finish_reason, collector.final.last_seq) == ("length", 5)
    assert (collector.final.usage.prompt_tokens, collector.final.usage.completion_tokens) == (5, 5)


def test_several_jobs_share_one_decode(batcher: Batcher, engine: FailingEngine) -> None:
    for index in range(4):
        submit(batcher, engine, f"job-{index}", max_tokens=4)

    run(batcher)

    assert [len(batch) for batch in engine.batches] == [4, 4, 4, 4]


def test_a_long_prompt_does_not_stop_a_stream(batcher: Batcher, engine: FailingEngine) -> None:
    stream = submit(batcher, engine, "stream", prompt=4, max_tokens=20)
    batcher.step()

    long = submit(batcher, engine, "long", prompt=60, max_tokens=2)
    batcher.step()

    assert len(stream.events) == 2
    assert long.events == []


def test_a_full_house_lets_the_next_one_wait(batcher: Batcher, engine: FailingEngine) -> None:
    collectors = [submit(batcher, engine, f"job-{index}", max_tokens=3 + index) for index in range(6)]

    batcher.step()

    assert [len(collector.events) for collector in collectors] == [1, 1, 1, 1, 0, 0]
    run(batcher)
    assert [collector.final.finish_reason for collector in collectors] == ["length"] * 6


def test_a_cancelled_job_frees_its_slot_within_one_step(batcher: Batcher, engine: FailingEngine) -> None:
    collector = submit(batcher, engine, max_tokens=50)
    batcher.step()

    sequence = batcher.find("j1", 1)
    assert sequence is not None
    sequence.end_with(Ending("cancelled"))
    batcher.step()

    assert collector.final.finish_reason == "cancelled"
    assert (batcher.running, batcher.unfinished, engine.open_samplers) == (0, 0, 0)
    assert batcher._kv.idle == 4


def test_a_job_that_ends_while_it_waits_never_decodes(batcher: Batcher, engine: FailingEngine) -> None:
    late = submit(batcher, engine, "late")

    sequence = batcher.find("late", 1)
    assert sequence is not None
    sequence.end_with(Ending("error", DeadlineExceededError()))
    run(batcher)

    assert late.error_code == DeadlineExceededError.code
    assert (late.events, engine.batches) == ([], [])


def test_a_job_that_is_cancelled_while_another_retires_is_not_lost(batcher: Batcher, engine: FailingEngine) -> None:
    class CancelledAtALook(Sequence):
        """Another thread's cancel comes just after the batcher has looked."""

        is_due = False

        @property
        def is_over(self) -> bool:
            was_over = super().is_over
            if self.is_due:
                self.answer.end_with(Ending("cancelled"))
            return was_over

    collector = Collector()
    (plain,) = sequences_of(a_request(a_job("unlucky", max_tokens=50), collector), [1, 2], engine)
    sequence = CancelledAtALook(plain.answer, 0, Begun([]), engine)
    batcher.submit([sequence])
    neighbour = submit(batcher, engine, "neighbour", max_tokens=50)
    batcher.step()

    ending = batcher.find("neighbour", 1)
    assert ending is not None
    ending.end_with(Ending("cancelled"))
    sequence.is_due = True
    run(batcher)

    assert [found.final.finish_reason for found in (collector, neighbour)] == ["cancelled", "cancelled"]
    assert batcher._kv.idle == 4


def test_an_abandoned_job_says_nothing_more(batcher: Batcher, engine: FailingEngine) -> None:
    collector = submit(batcher, engine)
    batcher.step()

    sequence = batcher.find("j1", 1)
    assert sequence is not None
    sequence.abandon()
    batcher.step()

    assert len(collector.events) == 1
    assert collector.finals == []
    assert (batcher.unfinished, engine.open_samplers) == (0, 0)


def test_a_job_may_abandon_itself_while_it_is_told_of_a_token(batcher: Batcher, engine: FailingEngine) -> None:
    class Fenced(Collector):
        def __call__(self, event: TokensEvent | FinalEvent) -> None:
            super().__call__(event)
            sequence = batcher.find("j1", 1)
            assert sequence is not None
            sequence.abandon()

    collector = submit(batcher, engine, collector=Fenced())

    run(batcher)

    assert len(collector.events) == 1
    assert collector.finals == []


def test_an_older_life_of_a_job_that_comes_late_leaves_the_younger_one_alone(
    batcher: Batcher, engine: FailingEngine
) -> None:
    young = submit(batcher, engine, max_tokens=10, epoch=3)
    old = submit(batcher, engine, max_tokens=10, epoch=1)

    sequence = batcher.find("j1", 1)
    assert sequence is not None
    sequence.abandon()
    run(batcher)

    assert (old.events, old.finals) == ([], [])
    assert (young.final.finish_reason, young.final.last_seq, young.final.epoch) == ("length", 10, 3)


def test_a_failed_decode_ends_its_sequences_and_nothing_else(batcher: Batcher, engine: FailingEngine) -> None:
    broken = submit(batcher, engine, "broken")
    engine.failures = [DecodeError("status -3")]
    batcher.step()
    assert engine._held == [[]] * 4

    healthy = submit(batcher, engine, "healthy", max_tokens=3)
    run(batcher)

    assert broken.error_code == InferenceError.code
    assert healthy.final.finish_reason == "length"


def test_one_prompt_that_makes_the_decode_fail_leaves_its_neighbours_alone(
    batcher: Batcher, engine: FailingEngine
) -> None:
    expected = submit(batcher, engine, "neighbour", max_tokens=12)
    run(batcher)
    neighbours = [submit(batcher, engine, "neighbour", max_tokens=12, epoch=epoch) for epoch in (1, 2)]
    batcher.step()

    engine.poison = 10 + len("poison")
    broken = submit(batcher, engine, "poison")
    run(batcher)

    assert broken.error_code == InferenceError.code
    assert [found.token_ids for found in neighbours] == [expected.token_ids] * 2


def test_a_failed_decode_after_one_without_room_leaves_nobody_waiting(batcher: Batcher, engine: FailingEngine) -> None:
    collectors = [submit(batcher, engine, f"job-{index}", max_tokens=5) for index in range(3)]
    batcher.step()

    engine.failures = [KvFullError(), DecodeError("status -3")]
    run(batcher)

    assert [found.final.finish_reason for found in collectors] == ["length"] * 3


def test_an_interactive_job_is_admitted_before_batch_jobs_that_came_earlier(
    batcher: Batcher, engine: FailingEngine
) -> None:
    running = [submit(batcher, engine, f"running-{index}", max_tokens=4) for index in range(4)]
    batcher.step()
    batch = submit(batcher, engine, "batch", max_tokens=4, priority="batch")
    interactive = submit(batcher, engine, "interactive", max_tokens=4)

    while not interactive.events:
        batcher.step()

    assert [len(found.finals) for found in running] == [1] * 4
    run(batcher)
    assert batch.final.finish_reason == "length"


def test_an_interactive_job_takes_the_slot_of_the_youngest_batch_job(batcher: Batcher, engine: FailingEngine) -> None:
    alone = submit(batcher, engine, "batch-3", max_tokens=20)
    run(batcher)
    batch = [submit(batcher, engine, f"batch-{index}", max_tokens=20, priority="batch") for index in range(4)]
    for _ in range(5):
        batcher.step()

    interactive = submit(batcher, engine, "interactive", max_tokens=3)
    batcher.step()

    assert len(interactive.events) == 1
    assert [len(found.events) for found in batch] == [6, 6, 6, 5]
    run(batcher)
    assert batch[3].token_ids == alone.token_ids
    assert [event.first_seq for event in batch[3].events] == [*range(1, 21)]


def test_a_batch_job_takes_nobodys_slot(batcher: Batcher, engine: FailingEngine) -> None:
    first = [submit(batcher, engine, f"batch-{index}", max_tokens=9, priority="batch") for index in range(4)]
    batcher.step()

    late = submit(batcher, engine, "late", max_tokens=9, priority="batch")
    batcher.step()

    assert [len(found.events) for found in (*first, late)] == [2, 2, 2, 2, 0]


def test_without_kv_room_what_is_only_kept_goes_first(batcher: Batcher, engine: FailingEngine) -> None:
    submit(batcher, engine, "over", prompt=20, max_tokens=4)
    run(batcher)

    engine.kv_limit = 40
    young = submit(batcher, engine, "young", prompt=20, max_tokens=4)
    old = submit(batcher, engine, "second", prompt=8, max_tokens=4)
    run(batcher)

    assert [found.final.finish_reason for found in (young, old)] == ["length", "length"]


def test_a_burst_with_one_prefix_decodes_it_once(batcher: Batcher, engine: FailingEngine) -> None:
    collectors = [submit(batcher, engine, "j1", prompt=40, epoch=epoch, max_tokens=2) for epoch in range(4)]

    run(batcher)

    prompts = sum(len(piece.tokens) for batch in engine.batches for piece in batch) - 4
    assert prompts == 40 + 3
    assert [found.final.usage.cached_tokens for found in collectors] == [0, 39, 39, 39]


def test_other_work_goes_on_while_a_prefix_is_waited_for(batcher: Batcher, engine: FailingEngine) -> None:
    for epoch in (1, 2):
        submit(batcher, engine, "j1", prompt=60, epoch=epoch)
    other = submit(batcher, engine, "other", prompt=2)

    batcher.step()

    assert len(other.events) == 1


def test_those_who_wait_for_a_prefix_keep_their_turn(batcher: Batcher, engine: FailingEngine) -> None:
    for epoch in range(4):
        submit(batcher, engine, "j1", prompt=60, epoch=epoch)
    late = submit(batcher, engine, "late", prompt=2)

    for _ in range(4):
        batcher.step()

    assert late.events == []


def test_another_tenant_decodes_the_same_prompt_itself(batcher: Batcher, engine: FailingEngine) -> None:
    one = submit(batcher, engine, "j1", prompt=40, tenant_id="one")
    two = submit(batcher, engine, "j2", prompt=40, tenant_id="two")
    run(batcher)
    again = submit(batcher, engine, "j3", prompt=40, tenant_id="two")
    run(batcher)

    assert [found.final.usage.cached_tokens for found in (one, two, again)] == [0, 0, 39]


def test_a_failing_sampler_leaves_its_neighbours_alone(batcher: Batcher, engine: FailingEngine) -> None:
    broken = submit(batcher, engine, "broken", seed=666)
    healthy = submit(batcher, engine, "healthy", max_tokens=3)

    run(batcher)

    assert broken.error_code == InferenceError.code
    assert healthy.final.finish_reason == "length"


def test_a_listener_that_raises_leaves_its_neighbours_alone(batcher: Batcher, engine: FailingEngine) -> None:
    class Deaf(Collector):
        def __call__(self, event: TokensEvent | FinalEvent) -> None:
            raise RuntimeError

    submit(batcher, engine, "deaf", collector=Deaf())
    healthy = submit(batcher, engine, "healthy", max_tokens=3)

    run(batcher)

    assert healthy.final.finish_reason == "length"
    assert engine.open_samplers == 0


def test_without_kv_room_the_youngest_waits_and_then_says_the_same(batcher: Batcher, engine: FailingEngine) -> None:
    alone = submit(batcher, engine, "young", max_tokens=20)
    run(batcher)

    engine.kv_limit = 40
    old = submit(batcher, engine, "old", max_tokens=20)
    young = submit(batcher, engine, "young", max_tokens=20)
    run(batcher)

    assert old.final.finish_reason == "length"
    assert young.token_ids == alone.token_ids
    assert [event.first_seq for event in young.events] == [*range(1, 21)]


def test_a_prompt_that_no_kv_can_hold_ends_with_an_error(batcher: Batcher, engine: FailingEngine) -> None:
    engine.kv_limit = 3

    collector = submit(batcher, engine)
    run(batcher)

    assert collector.error_code == InferenceError.code


def test_a_prompt_longer_than_the_context_is_refused(batcher: Batcher, engine: FailingEngine) -> None:
    collector = submit(batcher, engine, prompt=64)

    run(batcher)

    assert collector.error_code == "context_length_exceeded"
    assert engine.batches == []


def test_an_answer_ends_when_the_context_is_full(batcher: Batcher, engine: FailingEngine) -> None:
    collector = submit(batcher, engine, prompt=60, max_tokens=None)

    run(batcher)

    assert (collector.final.finish_reason, collector.final.last_seq) == ("length", 4)


@pytest.mark.parametrize("life", [1, 7, 19])
def test_a_continued_job_says_what_it_would_have_said(batcher: Batcher, engine: FailingEngine, life: int) -> None:
    whole = submit(batcher, engine, max_tokens=20)
    run(batcher)

    rest = submit(batcher, engine, max_tokens=20, epoch=2, logged=whole.events[:life])
    run(batcher)

    assert [event.first_seq for event in rest.events] == [*range(life + 1, 21)]
    assert rest.token_ids == whole.token_ids[life:]
    assert (rest.final.last_seq, rest.final.usage.completion_tokens) == (20, 20)


def test_a_job_that_had_said_everything_only_gets_its_final_event(batcher: Batcher, engine: FailingEngine) -> None:
    whole = submit(batcher, engine, max_tokens=6)
    run(batcher)
    decodes = len(engine.batches)

    again = submit(batcher, engine, max_tokens=6, epoch=2, logged=whole.events)
    run(batcher)

    assert again.events == []
    assert (again.final.finish_reason, again.final.last_seq, again.final.epoch) == ("length", 6, 2)
    assert len(engine.batches) == decodes


def test_a_job_whose_slot_cannot_be_had_fails_and_is_forgotten(
    batcher: Batcher, engine: FailingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter(sequence: Sequence) -> None:
        raise OSError("the driver is gone")

    monkeypatch.setattr(batcher._kv, "enter", enter)
    collector = submit(batcher, engine)
    batcher.start("m")

    assert collector.wait(10).finish_reason == "error"

    assert batcher.close(10)
    assert batcher.unfinished == 0


def test_a_closed_batcher_takes_nothing(batcher: Batcher, engine: FailingEngine) -> None:
    batcher.close()

    with pytest.raises(ModelUnavailableError):
        submit(batcher, engine)


def test_an_idle_batcher_does_not_spin(batcher: Batcher, engine: FailingEngine) -> None:
    batcher.start("idle")
    submit(batcher, engine).wait()
    steps = len(engine.batches)
    thread = batcher._thread
    assert thread is not None

    time.sleep(0.05)

    assert len(engine.batches) == steps
    assert batcher.close()
    assert not thread.is_alive()
