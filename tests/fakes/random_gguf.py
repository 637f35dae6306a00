"""A llama model with random weights, made in a blink: it says nonsense, but llama.cpp runs it like any other."""

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = ["the", "he", "th", "in", "an", "er", "on"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """Sizes of the model; `width` is divisible by `heads`."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    hidden: int = 128
    context_length: int = 512
    extra_tokens: int = 0
    """Further words in the vocabulary, to make it as large as a real one."""
    seed: int = 7
    kv_heads: int = 0
    """Heads of keys and values; 0: as many as `heads`."""
    has_infill: bool = False
    """Whether the first three of the further words are the tokens by which a model fills in."""
    marks: tuple[str, ...] = ()
    """Further control tokens, at the end of the vocabulary."""
    is_q8: bool = False
    """Whether the matrices are Q8_0; every number of columns must then be divisible by 32."""


def write_random_gguf(
    path: Path, shape: Shape | None = None, *, weight: float | None = None, pooling: gguf.PoolingType | None = None
) -> Path:
    """Write the model to `path`; `weight` puts that number into every weight of the output norm (nan breaks it).

    With `pooling` it is an embedding model that has a KV cache.
    """
    shape = shape or Shape()
    writer = gguf.GGUFWriter(str(path), "llama")
    _write_vocabulary(writer, shape)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads or shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    for name, tensor in _tensors(shape, weight):
        writer.add_tensor(name, tensor, raw_dtype=gguf.GGMLQuantizationType.Q8_0 if tensor.dtype == np.uint8 else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_vocabulary(writer: gguf.GGUFWriter, shape: Shape) -> None:
    extra = [f"word{index}" for index in range(shape.extra_tokens)]
    tokens = SPECIAL + _byte_alphabet() + WORDS + extra + list(shape.marks)
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    kinds[len(tokens) - len(shape.marks) :] = [gguf.TokenType.CONTROL] * len(shape.marks)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["t h", "h e", "th e", "i n", "a n", "e r", "o n"])
    if shape.has_infill:
        first = len(tokens) - len(shape.marks) - len(extra)
        writer.add_uint32("tokenizer.ggml.fim_pre_token_id", first)
        writer.add_uint32("tokenizer.ggml.fim_suf_token_id", first + 1)
        writer.add_uint32("tokenizer.ggml.fim_mid_token_id", first + 2)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _byte_alphabet() -> list[str]:
    """GPT-2's letters for the 256 bytes: printable ones stand for themselves, the others come after U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def _tensors(shape: Shape, weight: float | None) -> list[tuple[str, np.ndarray]]:
    random = np.random.default_rng(shape.seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        if shape.is_q8:
            return q8_blocks(random, rows, columns)
        values: np.ndarray = random.standard_normal((rows, columns)) / np.sqrt(columns)
        return values.astype(np.float16)

    def norm(value: float = 1.0) -> np.ndarray:
        return np.full(shape.width, value, dtype=np.float32)

    vocabulary = len(SPECIAL) + 256 + len(WORDS) + shape.extra_tokens + len(shape.marks)
    tensors = [("token_embd.weight", matrix(vocabulary, shape.width))]
    for layer in range(shape.layers):
        tensors += [(f"blk.{layer}.attn_norm.weight", norm()), (f"blk.{layer}.ffn_norm.weight", norm())]
        kv_width = shape.width // shape.heads * (shape.kv_heads or shape.heads)
        widths = {"q": shape.width, "k": kv_width, "v": kv_width}
        tensors += [(f"blk.{layer}.attn_{part}.weight", matrix(rows, shape.width)) for part, rows in widths.items()]
        tensors += [
            (f"blk.{layer}.attn_output.weight", matrix(shape.width, shape.width)),
            (f"blk.{layer}.ffn_gate.weight", matrix(shape.hidden, shape.width)),
            (f"blk.{layer}.ffn_up.weight", matrix(shape.hidden, shape.width)),
            (f"blk.{layer}.ffn_down.weight", matrix(shape.width, shape.hidden)),
        ]
    return [*tensors, ("output_norm.weight", norm(1.0 if weight is None else weight))]


def q8_blocks(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A random matrix as Q8_0 has it: for 32 weights a float16 scale and 32 signed bytes."""
    blocks = random.integers(-127, 128, (rows, columns // 32, 34), dtype=np.int8).view(np.uint8)
    # The bytes spread evenly up to 127, so their deviation is 127 / sqrt(3).
    scale = np.array([np.sqrt(3) / 127 / np.sqrt(columns)], dtype=np.float16).view(np.uint8)
    blocks[:, :, :2] = scale
    return blocks.reshape(rows, columns // 32 * 34)
