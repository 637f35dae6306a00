"""The GPUs that this build of llama.cpp can use."""

import ctypes

import llama_cpp

from worker.hardware import Gpu

_GPU = 1  # GGML_BACKEND_DEVICE_TYPE_GPU; an integrated one (2) shares the host's memory and counts as none here


def gpus() -> list[Gpu]:
    """With what is free of their own memory now. Empty for a build without GPU support."""
    if not llama_cpp.llama_supports_gpu_offload():
        return []
    library = llama_cpp.llama_cpp._lib
    count, get = library["ggml_backend_dev_count"], library["ggml_backend_dev_get"]
    kind, name, memory = (library[f"ggml_backend_dev_{part}"] for part in ("type", "name", "memory"))
    count.restype, get.restype, name.restype = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p
    get.argtypes = [ctypes.c_size_t]
    kind.argtypes = name.argtypes = [ctypes.c_void_p]
    found = []
    for index in range(count()):
        device = get(index)
        if kind(device) == _GPU:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            memory(ctypes.c_void_p(device), ctypes.byref(free), ctypes.byref(total))
            found.append(Gpu(name(device).decode(errors="replace"), free.value))
    return found
