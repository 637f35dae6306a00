"""The batcher: the decode loop of one model, many sequences in every step."""

import threading
import time
from collections import deque

import structlog

from shared.errors import InferenceError, ModelUnavailableError
from shared.telemetry import instruments
from worker.batch_plan import plan
from worker.engine.base import DecodeError, Draw, Engine, KvFullError, Piece, Sampled
from worker.sequence import Ending, Sequence

_log = structlog.get_logger(__name__)

Batch = list[tuple[Sequence, Piece]]


class Batcher:
    """Runs sequences on an engine, in a thread of its own.

    Other threads put sequences in, or ask for a sequence's end and wake the decode thread; it alone touches the rest.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._arrived: deque[Sequence] = deque()
        self._live: dict[tuple[str, int], Sequence] = {}
        """By job and epoch: an older life of a job may come late, and its end is not the younger one's."""
        self._is_closed = False
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []
        self._free_slots = list(reversed(range(engine.slots)))
        self._may_admit = True
        self._thread: threading.Thread | None = None
        self.progress_at = time.monotonic()
        """When the last step ended or the first work arrived, in seconds of time.monotonic()."""
        self.is_prefilling = False
        """Whether the decode that runs now holds prompts, and so may take long."""

    # --- from any thread

    def start(self, name: str) -> None:
        self._thread = threading.Thread(target=self._run, name=f"decode-{name}", daemon=True)
        self._thread.start()

    def submit(self, sequence: Sequence) -> None:
        """Queue a sequence. Raises ModelUnavailableError after close."""
        with self._changed:
            if self._is_closed:
                raise ModelUnavailableError
            if not self._live:
                self.progress_at = time.monotonic()
            self._live[sequence.job.id, sequence.epoch] = sequence
            self._arrived.append(sequence)
            self._changed.notify()

    def find(self, job_id: str, epoch: int) -> Sequence | None:
        with self._changed:
            return self._live.get((job_id, epoch))

    def wake(self) -> None:
        """Make the decode thread look at its sequences, also when it has none."""
        with self._changed:
            self._changed.notify()

    @property
    def unfinished(self) -> int:
        """Sequences that run or wait."""
        return len(self._live)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def kv_tokens(self) -> int:
        """Tokens in the KV cache."""
        return sum(sequence.position for sequence in self._running)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Drop every sequence silently and end the decode thread; whether it did end within `timeout_s`."""
        with self._changed:
            self._is_closed = True
            for sequence in self._live.values():
                sequence.abandon()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        self._retire()
        return True

    # --- in the decode thread

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self.step()
            except Exception:
                _log.exception("decode_step_failed")
                self._fail(self._running)
        self._take_arrived()
        self._retire()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._arrived or self._waiting or self._running)
            return not self._is_closed

    def step(self) -> None:
        """One turn of the loop: every generating sequence gets one token further, prompts as far as room allows."""
        self._admit()
        batch = plan(self._running, self._engine.batch_tokens)
        if batch and self._decode(batch):
            self._sample(batch)
        self._retire()
        self.is_prefilling = False
        self.progress_at = time.monotonic()

    def _admit(self) -> None:
        self._take_arrived()
        self._retire()
        while self._may_admit and self._waiting and self._free_slots:
            sequence = self._waiting.popleft()
            sequence.slot = self._free_slots.pop()
            self._running.append(sequence)
            self._open_sampler(sequence)

    def _take_arrived(self) -> None:
        with self._changed:
            self._waiting.extend(self._arrived)
            self._arrived.clear()

    def _open_sampler(self, sequence: Sequence) -> None:
        try:
            sequence.open_sampler(self._engine)
        except Exception as error:
            self._end_failed(sequence, error)

    def _decode(self, batch: Batch) -> bool:
        self.is_prefilling = any(len(piece.tokens) > 1 for _, piece in batch)
        try:
            self._engine.decode([piece for _, piece in batch])
        except KvFullError:
            self._preempt(batch)
            return False
        except DecodeError:
            _log.exception("decode_failed", sequences=len(batch))
            self._fail([sequence for sequence, _ in batch])
            return False
        instruments.BATCH_SIZE.record(len(batch))
        for sequence, piece in batch:
            sequence.position += len(piece.tokens)
        return True

    def _sample(self, batch: Batch) -> None:
        ready = enumerate(sequence for sequence, piece in batch if piece.wants_logits)
        drawing = [(row, sequence) for row, sequence in ready if not sequence.is_over and sequence.sampler is not None]
        draws = [Draw(sequence.sampler, row, sequence.seq + 1) for row, sequence in drawing if sequence.sampler]
        for (_, sequence), drawn in zip(drawing, self._engine.sample(draws), strict=True):
            if isinstance(drawn, Sampled):
                self._take(sequence, drawn.token)
            else:
                sequence.end_with(Ending("error", drawn))

    def _take(self, sequence: Sequence, token: int) -> None:
        if token in self._engine.end_tokens and not sequence.job.sampling.ignore_eos:
            sequence.end_with(Ending("stop"))
        else:
            sequence.accept(token, self._engine.token_bytes[token])

    def _preempt(self, batch: Batch) -> None:
        """No KV for this batch: the youngest gives up its room and begins again when another has ended."""
        youngest = max((sequence for sequence, _ in batch), key=self._running.index)
        if len(self._running) == 1:
            youngest.end_with(Ending("error", InferenceError("The KV cache has no room for this prompt.")))
            return
        self._running.remove(youngest)
        self._release(youngest)
        self._waiting.appendleft(youngest)
        self._may_admit = False

    def _end_failed(self, sequence: Sequence, error: Exception) -> None:
        """The failure is this sequence's own, its neighbours go on."""
        _log.error("sampling_failed", exc_info=error)
        sequence.end_with(Ending("error", error if isinstance(error, InferenceError) else InferenceError()))

    def _fail(self, sequences: list[Sequence]) -> None:
        for sequence in sequences:
            sequence.end_with(Ending("error", InferenceError()))

    def _retire(self) -> None:
        # One look at each: other threads end sequences at any time, one that ends after it is the next turn's.
        over = dict.fromkeys(sequence for sequence in (*self._running, *self._waiting) if sequence.is_over)
        if not over:
            return
        self._running = [sequence for sequence in self._running if sequence not in over]
        self._waiting = deque(sequence for sequence in self._waiting if sequence not in over)
        self._may_admit = True
        for sequence in over:
            self._release(sequence)
            self._close(sequence)

    def _release(self, sequence: Sequence) -> None:
        if sequence.slot is not None:
            self._engine.clear(sequence.slot)
            self._free_slots.append(sequence.slot)
            sequence.slot, sequence.position = None, 0

    def _close(self, sequence: Sequence) -> None:
        with self._changed:
            self._live.pop((sequence.job.id, sequence.epoch), None)
        sequence.close()
