"""`python -m worker.engine.llama_grammar_process FD MODEL`: runs grammars where they may fall.

llama.cpp aborts, exhausts the stack or takes all memory over some grammars, and may do so at any token. So each grammar
gets a process of its own: this one loads the vocabulary, waits warm on its socket and forks for every socket that it is
sent. A fork lives under limits of memory and of CPU time per request, and ends with its socket.
"""

import codecs
import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from worker.engine.llama_vocabulary import LlamaVocabulary

MEMORY_BYTES = 256 * 2**20  # on top of what the vocabulary takes
CPU_S = 1.0  # for one request

READY = b"r"
OPEN, OFFER, TAKE, TRY = b"O", b"o", b"t", b"T"
FITS, REFUSED = b"y", b"n"
_TOKEN_BYTES = 4
_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Matcher:
    """A grammar and how far an answer has come in it. llama.cpp dies of a token that does not fit: ask first.

    llama.cpp takes any byte for the second one of a character. Whether the bytes make UTF-8 is seen to here.
    """

    def __init__(self, vocabulary: LlamaVocabulary):
        self._vocabulary = vocabulary
        self._all = np.zeros(vocabulary.size, dtype=_TOKEN_DATA)
        self._all["id"] = np.arange(vocabulary.size)
        self._one = np.zeros(1, dtype=_TOKEN_DATA)
        self._sampler: Any = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._between = self._decoder.getstate()
        self._may_follow = self._in_utf8(range(vocabulary.size))

    def open(self, grammar: bytes) -> bool:
        """Whether llama.cpp takes the grammar, whose root rule is `root`."""
        self._sampler = llama_cpp.llama_sampler_init_grammar(self._vocabulary.handle, grammar, b"root")
        return bool(self._sampler)

    def take(self, token: int) -> bool:
        """Go on by `token`; False and no change if it does not fit."""
        if not 0 <= token < len(self._all):
            return False
        self._one[0] = (token, 1.0, 0.0)
        self._apply(self._one)
        if not np.isfinite(self._one["logit"][0]) or not self._goes_on(token, self._decoder.getstate()):
            return False
        llama_cpp.llama_sampler_accept(self._sampler, token)
        self._decoder.decode(self._vocabulary.token_bytes[token])
        return True

    def allowed(self) -> bytes:
        """A bit for every token, the first token's highest in the first byte."""
        data = self._all.copy()
        self._apply(data)
        allowed = np.isfinite(data["logit"])
        is_between = self._decoder.getstate() == self._between
        allowed &= self._may_follow if is_between else self._in_utf8(np.flatnonzero(allowed).tolist())
        return np.packbits(allowed).tobytes()

    def _in_utf8(self, tokens: Iterable[int]) -> Any:
        """For every token of the vocabulary, whether it is of `tokens` and goes on in UTF-8."""
        state = self._decoder.getstate()
        fits = np.zeros(self._vocabulary.size, dtype=np.bool_)
        for token in tokens:
            fits[token] = self._goes_on(token, state)
        return fits

    def _goes_on(self, token: int, state: tuple[bytes, int]) -> bool:
        """Whether its bytes go on in UTF-8 after `state`, the decoder's own; no answer ends within a character."""
        if token in self._vocabulary.end_tokens:
            return state == self._between
        try:
            self._decoder.decode(self._vocabulary.token_bytes[token])
            return True
        except UnicodeDecodeError:
            return False
        finally:
            self._decoder.setstate(state)

    def _apply(self, data: Any) -> None:
        pointer = ctypes.cast(data.ctypes.data, llama_cpp.llama_token_data_p)
        array = llama_cpp.llama_token_data_array(pointer, len(data), -1, False)
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(array))


def answer(matcher: Matcher, request: bytes) -> bytes:
    """One request's answer: FITS, or REFUSED with the tokens that would fit."""
    kind, rest = request[:1], request[1:]
    if kind == OPEN:
        size = int.from_bytes(rest[:_TOKEN_BYTES])
        grammar, tokens = rest[_TOKEN_BYTES:][:size], np.frombuffer(rest[_TOKEN_BYTES + size :], dtype=np.int32)
        return FITS if matcher.open(grammar) and all(map(matcher.take, tokens.tolist())) else REFUSED
    if kind == TRY:
        return REFUSED + matcher.allowed()
    token = int.from_bytes(rest)
    if matcher.take(token):
        return FITS
    return REFUSED + matcher.allowed() if kind == OFFER else REFUSED


def serve(matcher: Matcher, connection: Connection) -> None:
    """Answer until the other side closes. A request that takes too much ends the process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    connection.send_bytes(READY)
    while True:
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            return
        signal.setitimer(signal.ITIMER_PROF, CPU_S)  # SIGPROF ends the process
        reply = answer(matcher, request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send_bytes(reply)


def load_vocabulary(path: str) -> LlamaVocabulary | None:
    """The vocabulary of the model, loaded for as long as the process lives; None if that fails."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    return LlamaVocabulary(model) if model else None


def main() -> int:
    control = socket.socket(fileno=int(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks that end leave no zombies
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, whose sockets end this process
    vocabulary = load_vocabulary(sys.argv[2])
    if vocabulary is None:
        return 1
    matcher = Matcher(vocabulary)
    control.sendall(READY)
    while True:
        message, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return 0
        if os.fork() == 0:
            control.close()
            serve(matcher, Connection(handles[0]))
            os._exit(0)
        os.close(handles[0])


if __name__ == "__main__":
    sys.exit(main())
