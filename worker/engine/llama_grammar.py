"""Grammars for answers, each run by llama.cpp in a process that may die of it; the worker does not."""

import os
import socket
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

import numpy as np
import structlog
from numpy.typing import NDArray

from shared.errors import BadRequestError, InferenceError, ModelUnavailableError
from worker.engine.llama_grammar_process import FITS, OFFER, OPEN, READY, REFUSED, TAKE, TRY

_log = structlog.get_logger(__name__)

Allowed: TypeAlias = NDArray[np.bool_]
"""For every token whether it fits."""

ROOT = Path(__file__).parents[2]
START_S = 60.0  # to read a large vocabulary from a slow disk
ANSWER_S = 4.0  # the process ends itself after 1 s of CPU; with this it may wait for one, and a step is not yet stalled
MAX_TRIED = 1024
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LLAMA_CPP_LIB_PATH", "TMPDIR")


class _Lost(Exception):
    """The process has died."""


class _Slow(_Lost):
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
            return _answer(self._connection, ANSWER_S)
        except _Slow as error:
            raise InferenceError("Structured output takes too long now; try again.") from error
        except (_Lost, OSError) as error:
            message = "This grammar takes too much time or memory; make it smaller, or its alternatives fewer."
            raise BadRequestError(message, param=self._param) from error


class GrammarProcess:
    """The warm process of one model from which the grammars' own are forked; begun when first needed, again if it dies.

    Safe in any thread.
    """

    def __init__(self, model_path: Path, vocabulary_size: int):
        self._model_path = model_path.absolute()
        self._vocabulary_size = vocabulary_size
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._is_closed = False
        self._tried: OrderedDict[bytes, str] = OrderedDict()
        """What is wrong with a grammar, by its digest; "" if nothing is."""

    def check(self, source: bytes, param: str) -> None:
        """Compile `source` and look up its first tokens, once. Raises BadRequestError that names `param`."""
        digest = sha256(source).digest()
        with self._lock:
            is_known, complaint = digest in self._tried, self._tried.get(digest, "")
        if not is_known:
            complaint = self._try(source, param)
            with self._lock:
                self._tried[digest] = complaint
                if len(self._tried) > MAX_TRIED:
                    self._tried.popitem(last=False)
        if complaint:
            raise BadRequestError(complaint, param=param)

    def new(self, source: bytes, generated: Sequence[int], param: str) -> Grammar:
        """A grammar that has come as far as `generated`. Raises BadRequestError."""
        self.check(source, param)
        grammar = self._fork(param)
        try:
            grammar.open(source, generated)
        except Exception:
            grammar.close()
            raise
        return grammar

    def close(self) -> None:
        """End the process; twice is harmless. Grammars that are open stay so."""
        with self._lock:
            self._is_closed = True
            self._stop()

    def _try(self, source: bytes, param: str) -> str:
        """What is wrong with the grammar, "" if nothing is."""
        grammar = self._fork(param)
        try:
            grammar.open(source, ())
            is_possible = bool(grammar.allowed().any())
            return "" if is_possible else "No token of the model begins what this grammar allows."
        except BadRequestError as error:
            return error.message
        finally:
            grammar.close()

    def _fork(self, param: str) -> Grammar:
        with self._lock:
            if self._is_closed:
                raise ModelUnavailableError
            try:
                return Grammar(self._forked(), self._vocabulary_size, param)
            except (_Lost, OSError):
                self._stop()
            try:
                return Grammar(self._forked(), self._vocabulary_size, param)
            except (_Lost, OSError) as error:
                self._stop()
                _log.error("grammar_process_failed", exc_info=error)
                raise InferenceError("Structured output is not available now; try again.") from error

    def _forked(self) -> Connection:
        if self._control is None:
            self._start()
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._running(), [b"f"], [theirs.fileno()])
        connection = Connection(ours.detach())
        try:
            _answer(connection, ANSWER_S)
        except (_Lost, OSError):
            connection.close()
            raise
        return connection

    def _running(self) -> socket.socket:
        if self._control is None:
            raise _Lost
        return self._control

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__name__}_process", str(theirs.fileno()), str(self._model_path)],
                cwd=ROOT,
                # No secret of the worker's reaches it; it needs no GPU and no threads.
                env={**passed_on, "CUDA_VISIBLE_DEVICES": "", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._control = ours
        ours.settimeout(START_S)
        if ours.recv(1) != READY:
            raise _Lost

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _answer(connection: Connection, timeout_s: float) -> bytes:
    """Raises _Lost or _Slow."""
    try:
        if connection.poll(timeout_s):
            return connection.recv_bytes()
    except (EOFError, OSError) as error:
        raise _Lost from error
    raise _Slow
