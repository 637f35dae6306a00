"""A grammar for one answer, run by llama.cpp in a process that may die of it; the worker does not."""

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadRequestError, InferenceError, UnavailableError
from worker.engine.llama_grammar_process import FITS, OFFER, OPEN, REFUSED, TAKE, TRY

Allowed: TypeAlias = NDArray[np.bool_]
"""For every token whether it fits."""

ANSWER_S = 4.0  # the process ends itself after 1 s of CPU; with this it may wait for one, and a step is not yet stalled


class Lost(Exception):
    """The process has died."""


class Slow(Lost):
    """The process does not answer: the machine is overloaded, else it would have come to its limit of CPU time."""


class Grammar:
    """One answer's grammar and how far the answer has come. Used by one thread at a time."""

    def __init__(self, connection: Connection, vocabulary_size: int, param: str):
        self._connection = connection
        self._vocabulary_size = vocabulary_size
        self._param = param

    def open(self, source: bytes, generated: Sequence[int]) -> None:
        """Begin, and go on by what was generated before. Raises BadRequestError."""
        tokens = np.array(generated, dtype=np.int32).tobytes()
        if self._ask(OPEN + len(source).to_bytes(4) + source + tokens)[:1] != FITS:
            raise BadRequestError("llama.cpp does not take this grammar.", param=self._param)

    def offer(self, token: int) -> Allowed | None:
        """Go on by `token` and return None, or all tokens that fit if this one does not."""
        reply = self._ask(OFFER + token.to_bytes(4))
        return None if reply[:1] == FITS else self._tokens(reply)

    def take(self, token: int) -> None:
        """Go on by a token that fits. Raises InferenceError if it does not."""
        if self._ask(TAKE + token.to_bytes(4))[:1] != FITS:
            raise InferenceError("The grammar refused a token that it had allowed.")

    def allowed(self) -> Allowed:
        """All tokens that fit now."""
        return self._tokens(self._ask(TRY))

    def close(self) -> None:
        """End the process; twice is harmless."""
        self._connection.close()

    def _tokens(self, reply: bytes) -> Allowed:
        bits = np.frombuffer(reply, dtype=np.uint8, offset=len(REFUSED))
        return np.unpackbits(bits, count=self._vocabulary_size).astype(np.bool_)

    def _ask(self, request: bytes) -> bytes:
        try:
            self._connection.send_bytes(request)
            return answer_of(self._connection, ANSWER_S)
        except Slow as error:
            raise UnavailableError("Structured output takes too long now; try again.") from error
        except (Lost, OSError) as error:
            message = "This grammar takes too much time or memory; make it smaller, or its alternatives fewer."
            raise BadRequestError(message, param=self._param) from error


def answer_of(connection: Connection, timeout_s: float) -> bytes:
    """The next answer. Raises Lost or Slow."""
    try:
        if connection.poll(timeout_s):
            return connection.recv_bytes()
    except (EOFError, OSError) as error:
        raise Lost from error
    raise Slow
