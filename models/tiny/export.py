"""Writes trained weights as a GGUF file: `python -m models.tiny.export --run DIR --out models/drover-tiny.gguf`."""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from models.tiny.network import Shape
from models.tiny.tokenizer import CHAT_TEMPLATE, END, END_OF_TEXT, LLAMA_CPP_PRE_TOKENIZER, SPECIALS

QUANTIZATIONS = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def _add_metadata(writer: gguf.GGUFWriter, shape: Shape, file_type: gguf.LlamaFileType) -> None:
    writer.add_name("drover-tiny")
    writer.add_description("A very small chat model, trained from scratch by Drover's models/tiny recipe.")
    writer.add_file_type(file_type)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    size = tokenizer.get_vocab_size()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    types = [
        gguf.TokenType.CONTROL if tokenizer.id_to_token(index) in SPECIALS else gguf.TokenType.NORMAL
        for index in range(size)
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(LLAMA_CPP_PRE_TOKENIZER)
    writer.add_token_list([tokenizer.id_to_token(index) for index in range(size)])
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(tokenizer.token_to_id(END_OF_TEXT))
    writer.add_eos_token_id(tokenizer.token_to_id(END))
    writer.add_eot_token_id(tokenizer.token_to_id(END))
    writer.add_pad_token_id(tokenizer.token_to_id(END_OF_TEXT))
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensor(writer: gguf.GGUFWriter, name: str, weight: Tensor, kind: gguf.GGMLQuantizationType) -> None:
    values: NDArray[np.float32] = weight.detach().float().numpy()
    if values.ndim == 1:
        writer.add_tensor(name, values)
    else:
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def export(weights: dict[str, Tensor], tokenizer: Tokenizer, shape: Shape, out: Path, quantization: str) -> None:
    """Write one GGUF file; the network's own parameter names are llama.cpp's tensor names."""
    kind, file_type = QUANTIZATIONS[quantization]
    temporary = out.with_name(out.name + ".tmp")
    writer = gguf.GGUFWriter(temporary, "llama")
    _add_metadata(writer, shape, file_type)
    _add_tokenizer(writer, tokenizer)
    for name, weight in weights.items():
        _add_tensor(writer, name, weight, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("models/tiny/runs/main"))
    parser.add_argument("--out", type=Path, default=Path("models/drover-tiny.gguf"))
    parser.add_argument("--quantization", choices=QUANTIZATIONS, default="q8_0")
    arguments = parser.parse_args()
    weights = torch.load(arguments.run / "weights.pt", weights_only=True)
    tokenizer = Tokenizer.from_file(str(arguments.run / "tokenizer.json"))
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    export(weights, tokenizer, shape, arguments.out, arguments.quantization)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
