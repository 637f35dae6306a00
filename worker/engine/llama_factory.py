"""Opens llama.cpp models: checks the file, loads the weights, makes the context."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import llama_cpp

from shared.catalogue import ModelEntry
from shared.errors import ModelLoadError
from shared.templates import choose_template
from worker.engine import llama_log
from worker.engine.base import DecodeError, Engine
from worker.engine.llama import LlamaEngine, LlamaOptions
from worker.hardware import useful_threads
from worker.model_file import FileChecker

KV_BYTES = 2  # a number in the KV cache is a float16
LOGIT_BYTES = 4


def can_offload() -> bool:
    """Whether this build of llama.cpp can use a GPU."""
    return bool(llama_cpp.llama_supports_gpu_offload())


class LlamaFactory:
    """Loads GGUF files. Making one sends llama.cpp's log to Python's logging."""

    name = "llama"

    def __init__(self, options: LlamaOptions):
        if options.batch_tokens < options.slots:
            raise ValueError(f"batch_tokens ({options.batch_tokens}) must hold a token of each slot ({options.slots}).")
        self._options = options
        self._files = FileChecker()
        llama_log.install()
        llama_cpp.llama_backend_init()

    def needed_bytes(self, entry: ModelEntry, path: Path) -> int:
        """The file, the KV cache of all slots and the output buffer."""
        size = self._files.size_bytes(entry, path)
        model = self._load(entry, path, vocab_only=True)
        try:
            vocabulary: int = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
            kv_per_token = kv_bytes_per_token(model)
        finally:
            llama_cpp.llama_model_free(model)
        kv = kv_per_token * entry.context_length * self._options.slots
        return size + kv + vocabulary * LOGIT_BYTES * self._options.slots

    def open(self, entry: ModelEntry, path: Path, on_progress: Callable[[float], None] | None = None) -> Engine:
        self._files.size_bytes(entry, path)
        self._files.verify(entry, path)
        model = self._load(entry, path)
        context = llama_cpp.llama_init_from_model(model, self._context_params(entry, path))
        if not context:
            llama_cpp.llama_model_free(model)
            raise ModelLoadError(f"Model '{entry.name}' was loaded, but not its context: {llama_log.last_complaint()}.")
        embedded: bytes | None = llama_cpp.llama_model_chat_template(model, None)
        template = choose_template(entry.template, (embedded or b"").decode(errors="replace"))
        engine = LlamaEngine(
            model, context, context_length=entry.context_length, options=self._options, template=template
        )
        try:
            engine.warm_up()
        except DecodeError as error:
            engine.close()
            raise ModelLoadError(f"Model '{entry.name}' was loaded, but cannot decode: {error}") from error
        return engine

    def _load(self, entry: ModelEntry, path: Path, *, vocab_only: bool = False) -> int:
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = self._options.n_gpu_layers
        params.vocab_only = vocab_only
        llama_log.forget_complaints()
        model: int | None = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            cause = llama_log.last_complaint() or "it is not a GGUF file that this llama.cpp knows"
            raise ModelLoadError(f"Model '{entry.name}' could not be loaded from {path.name}: {cause}.")
        return model

    def _context_params(self, entry: ModelEntry, path: Path) -> llama_cpp.llama_context_params:
        options = self._options
        threads = useful_threads(path.stat().st_size, at_most=options.threads)
        params: llama_cpp.llama_context_params = llama_cpp.llama_context_default_params()
        params.n_ctx = options.slots * entry.context_length
        params.n_seq_max = options.slots
        params.n_batch = options.batch_tokens
        params.n_ubatch = options.batch_tokens
        params.n_outputs_max = options.slots
        params.n_threads = threads
        params.n_threads_batch = threads
        params.kv_unified = options.kv_unified
        params.no_perf = True
        if options.flash_attn is not None:
            params.flash_attn_type = int(options.flash_attn)
        return params


def kv_bytes_per_token(model: int) -> int:
    """What one token takes in the KV cache of a model that was loaded `vocab_only`: keys and values of all layers.

    From the file's metadata, because llama.cpp reads no sizes with the vocabulary alone.
    """
    architecture = _metadata(model, "general.architecture")
    layers = _number(model, f"{architecture}.block_count")
    heads = _number(model, f"{architecture}.attention.head_count") or 1
    kv_heads = _number(model, f"{architecture}.attention.head_count_kv") or heads
    per_head = _number(model, f"{architecture}.embedding_length") // heads
    key = _number(model, f"{architecture}.attention.key_length") or per_head
    value = _number(model, f"{architecture}.attention.value_length") or per_head
    return layers * kv_heads * (key + value) * KV_BYTES


def _number(model: int, key: str) -> int:
    """A number of the metadata, the largest of a list (a value per layer), 0 if there is none."""
    found = [part for part in _metadata(model, key).strip("[]").split(",") if part.strip().isdecimal()]
    return max(map(int, found), default=0)


def _metadata(model: int, key: str) -> str:
    buffer = ctypes.create_string_buffer(4096)
    length = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode(errors="replace") if length >= 0 else ""
