"""Joins the texts of many requests into passes of one model: what arrives during a pass goes into the next."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import structlog

from shared.errors import DroverError, InferenceError, QueueFullError, UnavailableError
from shared.telemetry import instruments

_log = structlog.get_logger(__name__)

TokenLists = Sequence[Sequence[int]]


@dataclass(eq=False)
class _Request:
    """The texts of one call: how many of them are in a pass already, and the vectors that are there."""

    token_lists: TokenLists
    future: Future[np.ndarray] = field(default_factory=Future)
    taken: int = 0
    vectors: list[np.ndarray] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self.token_lists) - self.taken

    def add(self, vector: np.ndarray) -> None:
        self.vectors.append(vector)
        if len(self.vectors) == len(self.token_lists):
            with suppress(InvalidStateError):  # the caller went away
                self.future.set_result(np.stack(self.vectors))

    def fail(self, error: Exception) -> None:
        with suppress(InvalidStateError):
            self.future.set_exception(error)


class MicroBatcher:
    """One thread that runs `embed` on up to `max_texts` texts and `max_tokens` tokens at a time.

    Requests take turns, one text each, so that a single text never waits for another request's thousand.
    """

    def __init__(
        self,
        embed: Callable[[TokenLists], np.ndarray],
        *,
        max_texts: int,
        max_tokens: int,
        max_waiting_texts: int,
        model: str,
    ):
        self._embed = embed
        self._max_texts = max_texts
        self._max_tokens = max_tokens
        self._max_waiting_texts = max_waiting_texts
        self._waiting: deque[_Request] = deque()
        self._waiting_texts = 0
        self._texts_in_pass = 0
        self._model = model
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"embed {model}", daemon=True)
        self._thread.start()

    @property
    def in_flight(self) -> int:
        """Texts that wait or are being embedded."""
        return self._waiting_texts + self._texts_in_pass

    def submit(self, token_lists: TokenLists) -> Future[np.ndarray]:
        """A future of the vectors, one row a list; each list must fit into a pass alone.

        Raises QueueFullError if too many texts wait, UnavailableError after `close`.
        """
        request = _Request(token_lists)
        with self._changed:
            if self._is_closed:
                raise UnavailableError("The embedding service is stopping; try again.")
            if self._waiting_texts and self._waiting_texts + len(token_lists) > self._max_waiting_texts:
                raise QueueFullError()
            self._waiting.append(request)
            self._waiting_texts += len(token_lists)
            self._changed.notify()
        return request.future

    def close(self) -> None:
        """Finish the pass that runs, fail what waits, end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        for request in self._waiting:
            request.fail(UnavailableError("The embedding service is stopping; try again."))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                taken = self._take()
                self._texts_in_pass = len(taken)
            if taken:
                self._pass(taken)
            self._texts_in_pass = 0

    def _take(self) -> list[tuple[_Request, Sequence[int]]]:
        """The texts of the next pass, each with its request. Call it with the lock held."""
        taken: list[tuple[_Request, Sequence[int]]] = []
        tokens = 0
        while self._waiting and len(taken) < self._max_texts:
            request = self._waiting.popleft()
            if request.future.done():  # cancelled, or an earlier pass of it failed
                self._waiting_texts -= request.waiting
                continue
            text = request.token_lists[request.taken]
            tokens += len(text)
            if tokens > self._max_tokens:
                self._waiting.appendleft(request)
                break
            taken.append((request, text))
            request.taken += 1
            self._waiting_texts -= 1
            if request.waiting:
                self._waiting.append(request)
        return taken

    def _pass(self, taken: list[tuple[_Request, Sequence[int]]]) -> None:
        token_lists = [text for _, text in taken]
        try:
            vectors = self._embed(token_lists)
        except Exception as error:  # whatever it is, its requests must not wait for ever
            _log.error("embedding_failed", texts=len(taken), exc_info=error)
            for request, _ in taken:
                request.fail(error if isinstance(error, DroverError) else InferenceError())
            return
        instruments.BATCH_SIZE.record(len(taken), {"model": self._model})
        instruments.TOKENS.add(sum(map(len, token_lists)), {"kind": "embedding", "model": self._model})
        for (request, _), vector in zip(taken, vectors, strict=True):
            request.add(vector)
