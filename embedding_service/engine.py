"""One embedding model in llama.cpp, through llama-cpp-python's low-level API."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import structlog

from embedding_service.engine_batch import TokenBatch
from shared.errors import InferenceError, ModelLoadError

_log = structlog.get_logger(__name__)

MAX_TEXTS_PER_BATCH = 64
"""Sequences in one pass. Attention costs grow with the square of a pass, so more would not be faster."""

_USABLE_POOLING = (
    llama_cpp.LLAMA_POOLING_TYPE_MEAN,
    llama_cpp.LLAMA_POOLING_TYPE_CLS,
    llama_cpp.LLAMA_POOLING_TYPE_LAST,
)
_WARNING, _ERROR = 3, 4  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR


class LlamaEmbedder:
    """A loaded model. `embed` and `close` belong to one thread, `tokenize` to any."""

    def __init__(self, path: Path, *, max_input_tokens: int, batch_tokens: int, threads: int, gpu_layers: int):
        """Load the GGUF at `path`; takes seconds. Raises ModelLoadError.

        An input may have `max_input_tokens`, or what the model was trained on if that is less.
        """
        llama_cpp.llama_log_set(_LOG_CALLBACK, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self._model = _load_model(path, gpu_layers)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        trained_tokens = llama_cpp.llama_model_n_ctx_train(self._model)
        self.max_input_tokens = min(max_input_tokens, trained_tokens) if max_input_tokens else trained_tokens
        self.vocabulary_size = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.dimensions = llama_cpp.llama_model_n_embd_out(self._model)
        self.batch_tokens = max(batch_tokens, self.max_input_tokens)
        self.batch_texts = min(MAX_TEXTS_PER_BATCH, self.batch_tokens)  # llama.cpp aborts on more texts than tokens
        self._batch = TokenBatch(self.batch_tokens)
        self._context = self._new_context(threads)

    def tokenize(self, text: str) -> list[int]:
        """The text's token ids with the model's own special tokens around them; those in the text are plain text."""
        data = text.encode("utf-8", errors="replace")
        room = len(data) + 8
        while True:
            tokens = (llama_cpp.llama_token * room)()
            count = llama_cpp.llama_tokenize(self._vocab, data, len(data), tokens, room, True, False)
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def embed(self, token_lists: Sequence[Sequence[int]]) -> np.ndarray:
        """Vectors of length 1, float32, shape (number of lists, dimensions), from one pass of the model.

        At most `batch_texts` lists, none empty, together at most `batch_tokens` tokens. Raises InferenceError.
        """
        memory = llama_cpp.llama_get_memory(self._context)
        if memory:  # only decoder models have a KV cache; encoders keep nothing between passes
            llama_cpp.llama_memory_clear(memory, True)
        status = llama_cpp.llama_decode(self._context, self._batch.fill(token_lists))
        if status != 0:
            raise InferenceError(f"The embedding model failed (llama_decode answered {status}); try again.")
        vectors = np.stack([self._pooled(sequence) for sequence in range(len(token_lists))])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)

    def close(self) -> None:
        """Free the model's memory; nothing else may be called afterwards."""
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    def _pooled(self, sequence: int) -> np.ndarray:
        pooled = llama_cpp.llama_get_embeddings_seq(self._context, sequence)
        return np.ctypeslib.as_array(pooled, shape=(self.dimensions,)).copy()

    def _new_context(self, threads: int) -> llama_cpp.llama_context_p:
        params = llama_cpp.llama_context_default_params()
        params.embeddings = True
        params.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_UNSPECIFIED  # as the GGUF says
        # An encoder takes a pass as one piece, so all three are the size of a pass.
        params.n_ctx = params.n_batch = params.n_ubatch = self.batch_tokens
        params.n_seq_max = self.batch_texts
        params.kv_unified = True  # a decoder's sequences share the room, or each would have 1/64 of it
        params.n_threads = params.n_threads_batch = threads
        context: llama_cpp.llama_context_p | None = llama_cpp.llama_init_from_model(self._model, params)
        if not context:
            llama_cpp.llama_model_free(self._model)
            raise ModelLoadError("The embedding model does not fit into the memory; the log says why.")
        if llama_cpp.llama_pooling_type(context) not in _USABLE_POOLING:
            llama_cpp.llama_free(context)
            llama_cpp.llama_model_free(self._model)
            raise ModelLoadError("The model's file names no pooling (mean, cls or last), so it gives no embeddings.")
        return context


def _load_model(path: Path, gpu_layers: int) -> llama_cpp.llama_model_p:
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    model: llama_cpp.llama_model_p | None = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise ModelLoadError(f"{path.name} is no model that llama.cpp can load; the log says why.")
    return model


def _write_log(level: int, text: bytes, _user_data: ctypes.c_void_p) -> None:
    if level in (_WARNING, _ERROR):
        _log.warning("llama_cpp", message=text.decode("utf-8", errors="replace").strip())


_LOG_CALLBACK = llama_cpp.llama_log_callback(_write_log)  # llama.cpp keeps only a pointer to it
