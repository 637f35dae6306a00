"""The grammars of one model: compiled and tried once, and a process of its own for each answer."""

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

import structlog

from shared.errors import BadRequestError, InferenceError, ModelUnavailableError
from worker.engine.llama_grammar import ANSWER_S, Grammar, Lost, answer_of
from worker.engine.llama_grammar_process import READY

_log = structlog.get_logger(__name__)

ROOT = Path(__file__).parents[2]
START_S = 60.0  # to read a large vocabulary from a slow disk
MAX_TRIED = 1024
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LLAMA_CPP_LIB_PATH", "TMPDIR")


class Grammars:
    """A warm process forks that of each grammar; it is begun when it is first needed, and again if it dies.

    One fork is always made ahead, so that the decode thread does not wait for it. Safe in any thread.
    """

    def __init__(self, model_path: Path, vocabulary_size: int):
        self._model_path = model_path.absolute()
        self._vocabulary_size = vocabulary_size
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ahead: Connection | None = None
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
            except (Lost, OSError):
                self._stop()
            try:
                return Grammar(self._forked(), self._vocabulary_size, param)
            except (Lost, OSError) as error:
                self._stop()
                _log.error("grammar_process_failed", exc_info=error)
                raise InferenceError("Structured output is not available now; try again.") from error

    def _forked(self) -> Connection:
        control = self._control or self._start()
        connection = self._ahead or _ask_for_fork(control)
        self._ahead = None
        try:
            self._ahead = _ask_for_fork(control)
            answer_of(connection, ANSWER_S)
        except (Lost, OSError):
            connection.close()
            raise
        return connection

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "worker.engine.llama_grammar_process",
                    str(theirs.fileno()),
                    str(self._model_path),
                ],
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
            raise Lost
        return ours

    def _stop(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _ask_for_fork(control: socket.socket) -> Connection:
    """The way to a new process, which says READY first. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(control, [b"f"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
    return Connection(ours.detach())
