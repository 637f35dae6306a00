"""A model that is loaded: an engine, its batcher, and the way from a job's messages to its tokens."""

import threading

import structlog

from shared.catalogue import ModelEntry
from shared.errors import BadRequestError, DeadlineExceededError, ModelUnavailableError, WorkerLostError
from shared.job import GenerateJob
from shared.templates import apart, render
from worker.answer import Answer, Ending
from worker.batcher import Batcher
from worker.choices import sequences_of
from worker.engine.base import Engine
from worker.sequence import SequenceRequest

_log = structlog.get_logger(__name__)


class LoadedModel:
    """What ModelCache lends. All methods may be called from any thread and return at once."""

    def __init__(self, entry: ModelEntry, engine: Engine, *, stall_s: float, prefill_stall_s: float):
        self.entry = entry
        self.load_began_ns = self.load_ended_ns = 0
        """In nanoseconds since the epoch."""
        self._engine = engine
        self._stall_s = stall_s
        self._prefill_stall_s = prefill_stall_s
        self._is_closed = False
        self._open = threading.Lock()  # the vocabulary must not be freed under a thread that tokenizes
        self._batcher = Batcher(engine)
        self._batcher.start(entry.name)

    @property
    def slots(self) -> int:
        return self._engine.slots

    @property
    def busy_slots(self) -> int:
        """Sequences that have a slot."""
        return self._batcher.running

    @property
    def unfinished(self) -> int:
        """Jobs that run or wait."""
        return self._batcher.unfinished

    @property
    def kv_usage_ratio(self) -> float:
        """The part of the KV cache that sequences fill, 0 to 1."""
        return self._batcher.kv_tokens / (self._engine.slots * self._engine.context_length)

    def submit(self, request: SequenceRequest) -> Answer:
        """Render, tokenize and queue the job; its answer tells of its tokens as they are counted.

        Raises WorkerLostError if its first tokens came from another file, BadRequestError, ModelLoadError or
        InferenceError if its prompt or its parameters cannot be used, ModelUnavailableError if the model is closed.
        """
        self._check_origin(request)
        self._engine.prepare(request.job)
        prompt = self._prompt(request.job)
        sequences = sequences_of(request, prompt, self._engine)
        self._batcher.submit(sequences)
        return sequences[0].answer

    def cancel(self, job_id: str, epoch: int) -> None:
        """End the job with a FinalEvent "cancelled" before the next step; an unknown one is ignored."""
        self._end(job_id, epoch, Ending("cancelled"))

    def expire(self, job_id: str, epoch: int) -> None:
        """End the job with a FinalEvent "error", code deadline_exceeded; an unknown one is ignored."""
        self._end(job_id, epoch, Ending("error", DeadlineExceededError()))

    def abandon(self, job_id: str, epoch: int) -> None:
        """Drop the job: once this returns, nothing of it is emitted any more; an unknown one is ignored."""
        if answer := self._batcher.find(job_id, epoch):
            answer.abandon()
            self._batcher.wake()

    def is_stalled(self, now: float) -> bool:
        """Whether there is work and no step has ended for too long; `now` in seconds of time.monotonic()."""
        limit_s = self._prefill_stall_s if self._batcher.is_prefilling else self._stall_s
        return self._batcher.unfinished > 0 and now - self._batcher.progress_at > limit_s

    def close(self) -> None:
        """Stop the decode thread and free the engine; twice is harmless. Unfinished jobs are dropped silently."""
        with self._open:
            if self._is_closed:
                return
            self._is_closed = True
        if self._batcher.close():
            self._engine.close()
        else:
            # Freeing memory under a decode that hangs would crash the worker, and its other models with it.
            _log.error("decode_thread_does_not_end", model=self.entry.name)

    def _end(self, job_id: str, epoch: int, ending: Ending) -> None:
        if answer := self._batcher.find(job_id, epoch):
            answer.end_with(ending)
            self._batcher.wake()

    def _check_origin(self, request: SequenceRequest) -> None:
        logged = [token for event in request.logged for token in event.token_ids]
        is_known = self._are_known(logged)
        if logged and (request.job.model_digest != self.entry.sha256 or not is_known):
            raise WorkerLostError("The model's file has changed since the answer began; send the request again.")

    def _prompt(self, job: GenerateJob) -> list[int]:
        if job.prompt is None:
            return self._rendered(job)
        if isinstance(job.prompt, str):
            tokens = self._tokenize(job.prompt)
        else:
            tokens = list(job.prompt)
            if not self._are_known(tokens):
                last = len(self._engine.token_bytes) - 1
                raise BadRequestError(f"The prompt has token ids outside the vocabulary, 0 to {last}.", param="prompt")
        if not tokens:
            raise BadRequestError("The prompt is empty.", param="prompt")
        return tokens

    def _rendered(self, job: GenerateJob) -> list[int]:
        engine = self._engine
        text = render(
            engine.template, job.messages, bos=engine.bos, eos=engine.eos, tools=job.tools, control=engine.control_texts
        )
        if engine.bos:
            text = text.removeprefix(engine.bos)  # the tokenizer adds it
        tokens = self._tokenize(*apart(text))
        if not tokens:
            raise BadRequestError("The messages make an empty prompt.", param="messages")
        return tokens

    def _tokenize(self, *parts: str) -> list[int]:
        with self._open:
            if self._is_closed:
                raise ModelUnavailableError
            return self._engine.tokenize(*parts)

    def _are_known(self, tokens: list[int]) -> bool:
        return not tokens or (min(tokens) >= 0 and max(tokens) < len(self._engine.token_bytes))
