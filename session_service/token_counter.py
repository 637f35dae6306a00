"""Counts tokens with a model's own vocabulary, without its weights."""

import ctypes
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import llama_cpp

from shared.bodies.messages import Message
from shared.bodies.tools import Tool
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import ModelNotFoundError, ModelUnavailableError
from shared.templates import choose_template, render

# llama.cpp would write some hundred lines about every vocabulary to stderr.
_DISCARD_LOG = llama_cpp.llama_log_callback(lambda _level, _text, _user_data: None)


class TokenCounter:
    """Counts for every chat model of the catalogue; each vocabulary is loaded once and kept while its entry stays.

    The calls block (a load up to a second, a count some milliseconds) and may come from any thread.
    """

    def __init__(self, catalogue: Catalogue):
        self._catalogue = catalogue
        self._vocabularies: dict[str, tuple[ModelEntry, Vocabulary]] = {}
        self._loading = threading.Lock()

    def context_tokens(self, model: str) -> int:
        """The length of the model's context. Raises ModelNotFoundError."""
        return self._entry(model).context_length

    def count_prompt(self, model: str, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        """Tokens of the whole prompt, template included, as the worker will see them.

        Raises ModelNotFoundError, ModelUnavailableError, and what shared.templates.render raises.
        """
        return self._vocabulary(model).count_prompt(messages, tools)

    def count_text(self, model: str, text: str) -> int:
        """Tokens of a text alone. Raises ModelNotFoundError, ModelUnavailableError."""
        return self._vocabulary(model).count(text, with_special=False)

    def _vocabulary(self, model: str) -> "Vocabulary":
        entry = self._entry(model)
        if (loaded := self._loaded(entry)) is not None:
            return loaded
        with self._loading:
            if (loaded := self._loaded(entry)) is None:
                loaded = Vocabulary(entry, self._catalogue.path_of(entry))
                self._vocabularies[model] = (entry, loaded)
            return loaded

    def _loaded(self, entry: ModelEntry) -> "Vocabulary | None":
        known, vocabulary = self._vocabularies.get(entry.name, (None, None))
        return vocabulary if known == entry else None

    def _entry(self, model: str) -> ModelEntry:
        entry = self._catalogue.get(model)
        if entry.kind != "chat":
            raise ModelNotFoundError(f"The model '{model}' is not a chat model.", param="model")
        return entry


class Vocabulary:
    """The vocabulary and the chat template of one GGUF file. Raises ModelUnavailableError if it cannot be read."""

    def __init__(self, entry: ModelEntry, path: Path):
        if not path.is_file():
            raise ModelUnavailableError(
                f"The file of the model '{entry.name}' is missing: put {entry.file} into the models folder.",
                param="model",
            )
        llama_cpp.llama_log_set(_DISCARD_LOG, ctypes.c_void_p())
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        vocab = llama_cpp.llama_model_get_vocab(model) if model else None
        if not model or not vocab:
            raise ModelUnavailableError(
                f"The file of the model '{entry.name}' cannot be read as GGUF: replace {entry.file}.", param="model"
            )
        # Freed when the last thread that counts with it is done: the catalogue may change at any time.
        weakref.finalize(self, llama_cpp.llama_model_free, model).atexit = False
        self._vocab = vocab
        embedded = llama_cpp.llama_model_chat_template(model, None) or b""
        self._template = choose_template(entry.template, embedded.decode("utf-8", "replace"))
        self._bos = self._text_of(llama_cpp.llama_vocab_bos(vocab))
        self._eos = self._text_of(llama_cpp.llama_vocab_eos(vocab))

    def count_prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        text = render(self._template, messages, bos=self._bos, eos=self._eos, tools=tools)
        # The tokenizer adds the BOS itself; a template that writes it too would make two.
        return self.count(text.removeprefix(self._bos) if self._bos else text, with_special=True)

    def count(self, text: str, *, with_special: bool) -> int:
        """Tokens of `text`. Special tokens written in it always count as one, as they do in the worker."""
        data = text.encode("utf-8", "replace")
        # Without room for the tokens llama_tokenize answers their number, negated.
        count: int = llama_cpp.llama_tokenize(self._vocab, data, len(data), None, 0, with_special, True)
        return abs(count)

    def _text_of(self, token: int) -> str:
        if token == llama_cpp.LLAMA_TOKEN_NULL:
            return ""
        return (llama_cpp.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")
