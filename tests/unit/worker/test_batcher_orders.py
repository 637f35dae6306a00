"""The batcher under any order of arrivals, cancels, abandonments, failures and steps."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.catalogue import ModelEntry
from tests.fakes.sequences import Collector, a_job, a_request
from worker.answer import Ending
from worker.batcher import Batcher
from worker.choices import sequences_of
from worker.engine.base import DecodeError, KvFullError
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.sequence import Sequence

SLOTS, CONTEXT = 3, 32


class TroubledEngine(SimulatedEngine):
    """Fails its next decode when told to."""

    trouble: type[DecodeError] | None = None

    def decode(self, pieces: Any) -> None:
        trouble, self.trouble = self.trouble, None
        if trouble:
            raise trouble
        super().decode(pieces)


class BatcherOrders(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        options = SimulatedOptions(slots=SLOTS, batch_tokens=8, step_ms=0, prompt_token_ms=0, answer_tokens=12)
        self.engine = TroubledEngine(ModelEntry(name="m", file="m", kind="chat", context_length=CONTEXT), options)
        self.batcher = Batcher(self.engine)
        self.jobs: dict[str, tuple[list[Sequence], Collector]] = {}

    @rule(
        prompt=st.integers(1, 40),
        max_tokens=st.one_of(st.none(), st.integers(0, 20)),
        n=st.sampled_from([1, 1, 2, 5]),
        echo=st.booleans(),
        top_logprobs=st.sampled_from([None, 0, 2]),
        priority=st.sampled_from(["interactive", "batch"]),
    )
    def arrive(self, prompt: int, **fields: Any) -> None:
        job_id, collector = f"j{len(self.jobs)}", Collector()
        request = a_request(a_job(job_id, **fields), collector)
        sequences = sequences_of(request, list(range(prompt)), self.engine)
        self.batcher.submit(sequences)
        self.jobs[job_id] = sequences, collector

    @rule(number=st.integers(0, 20))
    def cancel(self, number: int) -> None:
        if sequence := self.batcher.find(f"j{number}", 1):
            sequence.end_with(Ending("cancelled"))

    @rule(number=st.integers(0, 20))
    def abandon(self, number: int) -> None:
        if sequence := self.batcher.find(f"j{number}", 1):
            sequence.abandon()

    @rule(trouble=st.sampled_from([DecodeError, KvFullError]))
    def fail(self, trouble: type[DecodeError]) -> None:
        self.engine.trouble = trouble
        self.batcher.step()

    @rule(count=st.integers(1, 10))
    def step(self, count: int) -> None:
        for _ in range(count):
            self.batcher.step()

    @invariant()
    def every_seq_comes_once_and_in_order(self) -> None:
        for _, collector in self.jobs.values():
            ends = [0, *(event.last_seq for event in collector.events)]
            assert [event.first_seq for event in collector.events] == [end + 1 for end in ends[:-1]]
            assert len(collector.finals) <= 1

    @invariant()
    def slots_are_neither_lost_nor_shared(self) -> None:
        taken = [one.slot for one in self.sequences() if one.slot is not None]
        assert len(set(taken)) == len(taken) == self.batcher.running
        assert self.batcher._kv.idle == SLOTS - len(taken)

    @invariant()
    def the_kv_of_a_sequence_holds_its_own_tokens(self) -> None:
        for one in self.sequences():
            if one.slot is not None:
                assert self.engine._held[one.slot] == one.tokens[: one.position]

    def sequences(self) -> list[Sequence]:
        return [one for sequences, _ in self.jobs.values() for one in sequences]

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.batcher.unfinished:
                break
            self.batcher.step()
        assert self.batcher.unfinished == 0
        assert self.engine.open_samplers == 0
        for sequences, collector in self.jobs.values():
            is_abandoned = sequences[0].answer._emission.is_abandoned
            assert len(collector.finals) == (0 if is_abandoned else 1)
            if collector.finals:
                assert collector.final.last_seq == sum(len(event.token_ids) for event in collector.events)
                assert len(collector.final.others) == len(sequences) - 1


BatcherOrders.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBatcherOrders = BatcherOrders.TestCase
