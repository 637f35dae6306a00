"""The batcher: the decode loop of one model, many sequences in every step."""

import threading
import time

import structlog

from shared.errors import DroverError, InferenceError
from shared.telemetry import instruments
from worker.answer import Answer
from worker.batch_plan import Batch, plan
from worker.engine.base import DecodeError, Draw, Engine, KvFullError, Sampled
from worker.inbox import Inbox
from worker.kv_room import KvRoom
from worker.sequence import Sequence
from worker.waiting_room import WaitingRoom, youngest

_log = structlog.get_logger(__name__)


class Batcher:
    """Runs the sequences of many answers on an engine, in a thread of its own.

    Other threads put answers in, or ask for an answer's end and wake the decode thread; it alone touches the rest.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inbox = Inbox()
        self._waiting = WaitingRoom()
        self._running: list[Sequence] = []
        self._kv = KvRoom(engine)
        self._may_admit = True
        self._thread: threading.Thread | None = None
        self._labels: dict[str, str] = {}
        self.progress_at = time.monotonic()
        """When the last step ended or the first work arrived, in seconds of time.monotonic()."""
        self.is_prefilling = False
        """Whether the decode that runs now holds prompts, and so may take long."""

    # --- from any thread

    def start(self, name: str) -> None:
        self._labels = {"model": name}
        self._thread = threading.Thread(target=self._run, name=f"decode-{name}", daemon=True)
        self._thread.start()

    def submit(self, sequences: list[Sequence]) -> None:
        """Queue the choices of one answer. Raises ModelUnavailableError after close."""
        if not self._inbox.unfinished:
            self.progress_at = time.monotonic()
        self._inbox.put(sequences)

    def find(self, job_id: str, epoch: int) -> Answer | None:
        return self._inbox.find(job_id, epoch)

    def wake(self) -> None:
        """Make the decode thread look at its sequences, also when it has none."""
        self._inbox.wake()

    @property
    def unfinished(self) -> int:
        """Jobs that run or wait."""
        return self._inbox.unfinished

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def kv_tokens(self) -> int:
        """Tokens in the KV cache, without those that are only kept for reuse."""
        return sum(sequence.position for sequence in self._running)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Drop every answer silently and end the decode thread; whether it did end within `timeout_s`."""
        self._inbox.close()
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        self._retire()
        return True

    # --- in the decode thread

    def _run(self) -> None:
        while self._inbox.wait(lambda: bool(self._waiting or self._running)):
            try:
                self.step()
            except Exception:
                _log.exception("decode_step_failed")
                for sequence in self._running:
                    sequence.fail()
        self._take_arrived()
        self._retire()

    def step(self) -> None:
        """One turn of the loop: every generating sequence gets one token further, prompts as far as room allows."""
        self._admit()
        suspects = [sequence for sequence in self._running if sequence.is_suspect]
        batch = plan(suspects[:1] or self._running, self._engine)
        if batch and self._decode(batch):
            self._sample(batch)
        self._retire()
        self.is_prefilling = False
        self.progress_at = time.monotonic()

    def _admit(self) -> None:
        self._take_arrived()
        self._retire()
        if not self._waiting or (self._running and not self._may_admit):
            return
        room = self._kv.idle
        for sequence in self._waiting:
            if not sequence.may_begin or self._kv.is_worth_waiting(sequence):
                room -= 1  # it keeps its turn: nobody who came later takes the slot
            elif room > 0 or self._preempt_for(sequence):
                room = max(0, room - 1)
                self._begin(sequence)
            else:
                return

    def _take_arrived(self) -> None:
        for sequences in self._inbox.take():
            sequences[0].answer.echo_text()
            for sequence in sequences:
                self._waiting.add(sequence)

    def _begin(self, sequence: Sequence) -> None:
        self._waiting.remove(sequence)
        self._running.append(sequence)  # first, so that it fails with the others if its slot cannot be had
        self._kv.enter(sequence)
        sequence.answer.count_cached(sequence.position)
        try:
            sequence.open_sampler()
        except Exception as error:
            _log.error("sampler_failed", exc_info=error)
            sequence.fail(error if isinstance(error, DroverError) else None)

    def _preempt_for(self, sequence: Sequence) -> bool:
        """Make a batch job give up its slot if an interactive one needs it; whether there is one to do so."""
        victim = youngest(self._running)
        if victim.job.priority == sequence.job.priority or victim.job.priority == "interactive":
            return False
        self._preempt(victim)
        return True

    def _preempt(self, sequence: Sequence, *, keeps: bool = True) -> None:
        """Let the sequence wait again, with its tokens; what it held of them in the KV may be used till then."""
        self._running.remove(sequence)
        self._kv.leave(sequence, keeps=keeps)
        self._waiting.add(sequence)

    def _decode(self, batch: Batch) -> bool:
        self.is_prefilling = any(len(piece.tokens) > 1 for _, piece in batch)
        try:
            self._engine.decode([piece for _, piece in batch])
        except KvFullError:
            self._make_room()
            return False
        except DecodeError:
            _log.exception("decode_failed", sequences=len(batch))
            self._isolate([sequence for sequence, _ in batch])
            return False
        instruments.BATCH_SIZE.record(len(batch), self._labels)
        for sequence, piece in batch:
            sequence.position += len(piece.tokens)
            sequence.is_suspect &= sequence.pending > 0
        return True

    def _sample(self, batch: Batch) -> None:
        row = 0
        drawing: list[tuple[Sequence, Draw]] = []
        for sequence, piece in batch:
            if piece.wants_all and not sequence.is_over:
                sequence.answer.echo_rows(piece.position, row, piece.rows)
                sequence.end_at_limit()
            row += piece.rows
            if piece.wants_logits and sequence.sampler is not None and not sequence.is_over:
                drawing.append((sequence, Draw(sequence.sampler, row - 1, sequence.generated + 1)))
        for (sequence, _), drawn in zip(drawing, self._engine.sample([draw for _, draw in drawing]), strict=True):
            if isinstance(drawn, Sampled):
                sequence.accept(drawn)
            else:
                sequence.fail(drawn)

    def _make_room(self) -> None:
        """No KV for this batch: what is only kept goes first, then the youngest job of the lowest class."""
        if self._kv.forget_resting():
            return
        victim = youngest(self._running)
        if len(self._running) == 1:
            victim.fail(InferenceError("The KV cache has no room for this prompt."))
            return
        self._preempt(victim, keeps=False)
        self._may_admit = False  # until somebody has ended

    def _isolate(self, sequences: list[Sequence]) -> None:
        """One of these made the decode fail: each begins again and is tried alone, so that the others live."""
        if len(sequences) == 1:
            sequences[0].fail()
            return
        for sequence in sequences:
            sequence.is_suspect = True
            self._preempt(sequence, keeps=False)

    def _retire(self) -> None:
        # One look at each: other threads end answers at any time, one that ends after it is the next turn's.
        over = dict.fromkeys(sequence for sequence in (*self._running, *self._waiting) if sequence.is_over)
        if not over:
            return
        self._running = [sequence for sequence in self._running if sequence not in over]
        self._waiting.keep(lambda sequence: sequence not in over)
        self._may_admit = True
        for sequence in over:
            ending = sequence.ending or sequence.answer.ending
            self._kv.leave(sequence, keeps=ending is None or ending.reason != "error")
            sequence.close()
            if sequence.answer.is_closed:
                self._inbox.forget(sequence.answer)
