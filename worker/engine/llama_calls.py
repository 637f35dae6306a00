"""The calls into llama.cpp that happen for every token, with the GIL kept or released.

ctypes releases the GIL around every call and must win it back afterwards, which may take 5 ms when another thread runs
Python. For a call of a few microseconds that is a bad trade, so models with a small vocabulary keep the GIL, and so do
links that see only a few candidates of a large one.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import llama_cpp

# At 16,384 candidates a chain takes about 100 µs: longer than that the other threads should run meanwhile.
SMALL_VOCABULARY = 16_384


class Calls:
    """llama.cpp's functions as Python callables; pointers are what ctypes gives."""

    def __init__(self, vocabulary_size: int):
        library = llama_cpp.llama_cpp._lib
        quick = ctypes.PyDLL(library._name, handle=library._handle)
        slow_or_quick = quick if vocabulary_size <= SMALL_VOCABULARY else library
        self.sample = _function(slow_or_quick, llama_cpp.llama_sampler_sample)
        self.draw = _function(quick, llama_cpp.llama_sampler_init_dist)
        self.free = _function(quick, llama_cpp.llama_sampler_free)
        self.add = _function(quick, llama_cpp.llama_sampler_chain_add)
        self.remove = _function(quick, llama_cpp.llama_sampler_chain_remove)
        self.accept = _function(quick, llama_cpp.llama_sampler_accept)
        self.apply_to_few = _function(quick, llama_cpp.llama_sampler_apply)
        self.apply_to_many = _function(library, llama_cpp.llama_sampler_apply)


def _function(library: ctypes.CDLL, like: Any) -> Callable[..., Any]:
    """The same function as `like`, called through `library`."""
    function = library[like.__name__]  # by item, because by attribute it would be shared with llama_cpp's own
    function.argtypes = like.argtypes
    function.restype = like.restype
    return function
