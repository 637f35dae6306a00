"""LoRA adapters: loaded beside a model's weights and applied in its context."""

import ctypes
from pathlib import Path
from typing import Any

import llama_cpp

from shared.catalogue import ModelEntry
from shared.errors import ModelLoadError
from worker.engine import llama_log


def load_adapter(model: int, entry: ModelEntry, path: Path) -> Any:
    """llama.cpp's pointer to the adapter, freed with `model`; before the context is made. Raises ModelLoadError."""
    llama_log.forget_complaints()
    adapter = llama_cpp.llama_adapter_lora_init(model, str(path).encode())
    if not adapter:
        cause = llama_log.last_complaint() or "it does not fit its base"
        raise ModelLoadError(f"The adapter of model '{entry.name}' could not be loaded from {path.name}: {cause}.")
    return adapter


def apply_adapter(context: int, adapter: Any, scale: float) -> None:
    """Every decode in this context uses the adapter from now on. Raises ModelLoadError."""
    adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(ctypes.cast(adapter, llama_cpp.llama_adapter_lora_p_ctypes))
    scales = (ctypes.c_float * 1)(scale)
    if llama_cpp.llama_set_adapters_lora(context, adapters, 1, scales) != 0:
        raise ModelLoadError("llama.cpp refuses the adapter.")
