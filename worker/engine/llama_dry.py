"""DRY samplers, copied from prepared ones: each sequence breaker costs a look at the whole vocabulary."""

import ctypes
import threading
from collections import OrderedDict
from typing import Any

import llama_cpp

from shared.job import SamplingParams

Pointer = Any  # ctypes' pointer to llama_sampler

MAX_KEPT = 16
INT32_MAX = 2**31 - 1

_Key = tuple[float, float, int, int, tuple[str, ...]]


class DrySamplers:
    """Keeps the samplers of the last `MAX_KEPT` settings. Safe in any thread."""

    def __init__(self, vocabulary: Any):
        self._vocabulary = vocabulary
        self._kept: OrderedDict[_Key, Pointer] = OrderedDict()
        self._lock = threading.Lock()

    def new(self, params: SamplingParams, window: int) -> Pointer:
        """A sampler that looks back at `window` tokens and has seen none; the caller frees it."""
        with self._lock:
            return llama_cpp.llama_sampler_clone(self._prepared(params, window))

    def close(self) -> None:
        """Free what is kept; twice is harmless."""
        with self._lock:
            while self._kept:
                llama_cpp.llama_sampler_free(self._kept.popitem()[1])

    def _prepared(self, params: SamplingParams, window: int) -> Pointer:
        allowed_length = max(0, min(params.dry_allowed_length, INT32_MAX))
        key = (params.dry_multiplier, params.dry_base, allowed_length, window, params.dry_sequence_breakers)
        if key not in self._kept:
            breakers = [breaker.encode(errors="replace") for breaker in params.dry_sequence_breakers if breaker]
            self._kept[key] = llama_cpp.llama_sampler_init_dry(
                self._vocabulary,
                params.dry_multiplier,
                params.dry_base,
                allowed_length,
                window,
                (ctypes.c_char_p * len(breakers))(*breakers),
                len(breakers),
            )
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            llama_cpp.llama_sampler_free(self._kept.popitem(last=False)[1])
        return self._kept[key]
