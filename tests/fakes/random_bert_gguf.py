"""An embedding model with random weights, made in a blink: its vectors mean nothing, but llama.cpp runs it."""

from pathlib import Path

import gguf
import numpy as np

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "cat", "dog", "sits", "runs", "on", "a", "mat", "red", "blue"]
WORD_START = "\u2581"  # how llama.cpp marks the tokens that begin a word
TOKENS = SPECIAL + [WORD_START + word for word in WORDS] + ["s", "ing", "##"]

WIDTH = 32
HEADS = 4
HIDDEN = 64
LAYERS = 2
CONTEXT_LENGTH = 64


def write_random_bert_gguf(path: Path, *, pooling: gguf.PoolingType | None = gguf.PoolingType.MEAN) -> Path:
    """Write the model to `path`; its vectors have WIDTH numbers, an input may have CONTEXT_LENGTH tokens."""
    writer = gguf.GGUFWriter(str(path), "bert")
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    _write_vocabulary(writer)
    for name, tensor in _tensors():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_vocabulary(writer: gguf.GGUFWriter) -> None:
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(TOKENS) - len(SPECIAL))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")
    writer.add_token_list(TOKENS)
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)


def _tensors() -> list[tuple[str, np.ndarray]]:
    random = np.random.default_rng(11)

    def linear(name: str, rows: int, columns: int) -> list[tuple[str, np.ndarray]]:
        weight = (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
        return [(f"{name}.weight", weight), (f"{name}.bias", np.zeros(rows, np.float32))]

    def norm(name: str) -> list[tuple[str, np.ndarray]]:
        return [(f"{name}.weight", np.ones(WIDTH, np.float32)), (f"{name}.bias", np.zeros(WIDTH, np.float32))]

    tensors = [
        linear("token_embd", len(TOKENS), WIDTH)[0],
        linear("token_types", 2, WIDTH)[0],
        linear("position_embd", CONTEXT_LENGTH, WIDTH)[0],
        *norm("token_embd_norm"),
    ]
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors += linear(f"{block}.{part}", WIDTH, WIDTH)
        tensors += norm(f"{block}.attn_output_norm") + norm(f"{block}.layer_output_norm")
        tensors += linear(f"{block}.ffn_up", HIDDEN, WIDTH) + linear(f"{block}.ffn_down", WIDTH, HIDDEN)
    return tensors
