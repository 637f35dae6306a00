"""A LoRA adapter with random weights for the model of random_gguf, as small as tests want it."""

from pathlib import Path

import gguf
import numpy as np

from tests.fakes.random_gguf import Shape

RANK = 4


def write_random_lora(path: Path, shape: Shape | None = None, *, architecture: str = "llama", seed: int = 3) -> Path:
    """Write an adapter for all attention weights of that shape to `path`."""
    shape = shape or Shape()
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    for layer in range(shape.layers):
        for part in ("q", "k", "v"):
            name = f"blk.{layer}.attn_{part}.weight"
            writer.add_tensor(f"{name}.lora_a", random.standard_normal((RANK, shape.width)).astype(np.float32))
            writer.add_tensor(f"{name}.lora_b", random.standard_normal((shape.width, RANK)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
