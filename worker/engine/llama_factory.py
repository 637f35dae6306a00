"""Opens llama.cpp models: checks the files, loads the weights, makes the context."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp
import structlog

from shared.catalogue import ModelEntry
from shared.errors import InsufficientMemoryError, ModelLoadError
from shared.templates import choose_template
from worker.engine import llama_log
from worker.engine.base import DecodeError, Engine
from worker.engine.llama import LlamaEngine, LlamaOptions
from worker.engine.llama_adapter import apply_adapter, load_adapter
from worker.gguf_header import GgufError, GgufHeader
from worker.hardware import useful_threads
from worker.model_file import FileChecker, find_adapter

log = structlog.get_logger(__name__)

KV_BYTES = 2  # a number in the KV cache is a float16
LOGIT_BYTES = 4

Progress = Callable[[float], None]


class LlamaFactory:
    """Loads GGUF files. Making one sends llama.cpp's log to Python's logging.

    `adapter_path_of` finds the adapters of entries that have one; `host_budget_bytes` is what models may take of the
    host's memory when the GPU does not take them, None: anything.
    """

    name = "llama"

    def __init__(
        self,
        options: LlamaOptions,
        *,
        adapter_path_of: Callable[[ModelEntry], Path | None] = lambda _: None,
        host_budget_bytes: int | None = None,
    ):
        if options.batch_tokens < options.slots:
            raise ValueError(f"batch_tokens ({options.batch_tokens}) must hold a token of each slot ({options.slots}).")
        self._options = options
        self._adapter_path_of = adapter_path_of
        self._host_budget_bytes = host_budget_bytes
        self._files = FileChecker()
        llama_log.install()
        llama_cpp.llama_backend_init()

    def needed_bytes(self, entry: ModelEntry, path: Path) -> int:
        """The files, the KV cache of all slots and the output buffer; from the file's header, nothing is loaded.

        An adapter's base counts in full: that the base's own pages are shared with it is a gift of the page cache.
        """
        header = self._files.header(entry, path)
        adapter_path = self._checked_adapter_path(entry, header)
        adapter_bytes = self._files.size_bytes(entry, adapter_path) if adapter_path else 0
        vocabulary = header.lengths.get("tokenizer.ggml.tokens", 0)
        try:
            weights, kv_per_token = weights_bytes(path, header), kv_bytes_per_token(header)
        except GgufError as error:
            raise ModelLoadError(f"Model '{entry.name}' cannot be loaded from {path.name}: {error}.") from error
        kv = kv_per_token * entry.context_length * self._options.slots
        return weights + adapter_bytes + kv + vocabulary * LOGIT_BYTES * self._options.output_rows

    def open(self, entry: ModelEntry, path: Path, on_progress: Progress | None = None) -> Engine:
        header = self._files.header(entry, path)
        adapter_path = self._checked_adapter_path(entry, header)
        self._files.verify(entry, path, entry.weights_sha256)
        if entry.adapter is not None and adapter_path is not None:
            self._files.verify(entry, adapter_path, entry.adapter.sha256)
        layers = self._options.n_gpu_layers
        try:
            return self._open(entry, path, adapter_path, layers, on_progress)
        except ModelLoadError as error:
            if layers == 0:
                raise
            log.warning("gpu_load_failed", model=entry.name, reason=error.message)
        self._check_host(entry, path)
        return self._open(entry, path, adapter_path, 0, on_progress)

    def _open(
        self, entry: ModelEntry, path: Path, adapter_path: Path | None, layers: int, on_progress: Progress | None
    ) -> Engine:
        model = self._load(entry, path, layers, on_progress)
        try:
            # An adapter is to be there before the context: llama.cpp plans its memory with it.
            adapter = load_adapter(model, entry, adapter_path) if adapter_path else None
            engine = self._with_context(entry, path, model, layers)
        except BaseException:
            llama_cpp.llama_model_free(model)
            raise
        try:
            if entry.adapter is not None and adapter is not None:
                apply_adapter(engine.context, adapter, entry.adapter.scale)
            engine.warm_up()
        except (DecodeError, ModelLoadError) as error:
            engine.close()
            raise ModelLoadError(f"Model '{entry.name}' was loaded, but cannot decode: {error}") from error
        return engine

    def _with_context(self, entry: ModelEntry, path: Path, model: int, layers: int) -> LlamaEngine:
        llama_log.forget_complaints()
        context = llama_cpp.llama_init_from_model(model, self._context_params(entry, path, layers))
        if not context:
            raise ModelLoadError(f"Model '{entry.name}' was loaded, but not its context: {llama_log.last_complaint()}.")
        if not llama_cpp.llama_get_memory(context) or not llama_cpp.llama_model_has_decoder(model):
            llama_cpp.llama_free(context)
            raise ModelLoadError(f"Model '{entry.name}' makes no text: {path.name} is an embedding model.")
        embedded: bytes | None = llama_cpp.llama_model_chat_template(model, None)
        template = choose_template(entry.template, (embedded or b"").decode(errors="replace"))
        return LlamaEngine(
            model,
            context,
            path=path,
            context_length=entry.context_length,
            options=self._options,
            template=template,
        )

    def _load(self, entry: ModelEntry, path: Path, layers: int, on_progress: Progress | None) -> int:
        @llama_cpp.llama_progress_callback  # type: ignore[untyped-decorator]  # llama_cpp ships no types
        def tell(done: float, _user_data: Any) -> bool:
            if on_progress is not None:
                on_progress(min(1.0, max(0.0, done)))
            return True  # False would end the load

        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = layers
        params.progress_callback = tell
        llama_log.forget_complaints()
        model: int | None = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            cause = llama_log.last_complaint() or "it is not a GGUF file that this llama.cpp knows"
            raise ModelLoadError(f"Model '{entry.name}' could not be loaded from {path.name}: {cause}.")
        return model

    def _checked_adapter_path(self, entry: ModelEntry, base: GgufHeader) -> Path | None:
        """Raises ModelLoadError if the entry's adapter is not there or is none."""
        path = find_adapter(self._adapter_path_of, entry)
        if path is not None:
            self._files.check_adapter(entry, path, base)
        return path

    def _check_host(self, entry: ModelEntry, path: Path) -> None:
        """Raises InsufficientMemoryError if the model is too large for the host, which is to take the GPU's place."""
        needed = self.needed_bytes(entry, path)
        if self._host_budget_bytes is not None and needed > self._host_budget_bytes:
            raise InsufficientMemoryError(
                f"Model '{entry.name}' did not fit on the GPU, and needs {needed:,} bytes of the host's memory, where "
                f"models may take {self._host_budget_bytes:,}."
            )

    def _context_params(self, entry: ModelEntry, path: Path, layers: int) -> llama_cpp.llama_context_params:
        options = self._options
        threads = useful_threads(path.stat().st_size, at_most=options.threads)
        params: llama_cpp.llama_context_params = llama_cpp.llama_context_default_params()
        params.n_ctx = options.slots * entry.context_length
        params.n_seq_max = options.slots
        params.n_batch = options.batch_tokens
        params.n_ubatch = options.batch_tokens
        params.n_outputs_max = options.output_rows
        params.n_threads = threads
        params.n_threads_batch = threads
        params.kv_unified = options.kv_unified
        params.no_perf = True
        params.offload_kqv = params.op_offload = layers != 0
        if options.flash_attn is not None:
            params.flash_attn_type = int(options.flash_attn)
        return params


def weights_bytes(path: Path, header: GgufHeader) -> int:
    """The size of the file, or of all its parts where it is split (`…-00001-of-00003.gguf`). Raises GgufError."""
    parts = header.number("split.count")
    if parts < 2:
        return path.stat().st_size
    stem = re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)
    files = [path.with_name(f"{stem}-{part:05}-of-{parts:05}.gguf") for part in range(1, parts + 1)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise GgufError(f"its part {missing[0]} is missing")
    return sum(file.stat().st_size for file in files)


def kv_bytes_per_token(header: GgufHeader) -> int:
    """What one token takes in the KV cache: keys and values of all layers. Raises GgufError."""
    layers = header.of_architecture("block_count")
    heads = header.of_architecture("attention.head_count") or 1
    kv_heads = header.of_architecture("attention.head_count_kv") or heads
    per_head = header.of_architecture("embedding_length") // heads
    key = header.of_architecture("attention.key_length") or per_head
    value = header.of_architecture("attention.value_length") or per_head
    return layers * kv_heads * (key + value) * KV_BYTES
