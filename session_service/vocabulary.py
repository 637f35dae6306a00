"""The vocabulary of one GGUF file: text to tokens and back, and its chat template."""

import ctypes
import weakref
from collections.abc import Sequence
from pathlib import Path

import llama_cpp

from shared.bodies.messages import Message
from shared.bodies.tools import Tool
from shared.catalogue import ModelEntry
from shared.errors import BadRequestError, ModelUnavailableError
from shared.templates import ControlTexts, apart, choose_template, render

# llama.cpp would write some hundred lines about every vocabulary to stderr.
_DISCARD_LOG = llama_cpp.llama_log_callback(lambda _level, _text, _user_data: None)

PIECE_BYTES = 256
CONTROL_ATTRIBUTES = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


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
        ids = range(llama_cpp.llama_vocab_n_tokens(vocab))
        self._control_texts = ControlTexts(self._text_of(token) for token in ids if self._is_control(token))

    def count_prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
        first, *others = self._rendered(messages, tools)
        return self.count(first, with_special=True) + sum(self.count(part, with_special=False) for part in others)

    def count(self, text: str, *, with_special: bool) -> int:
        """Tokens of `text`. Special tokens written in it always count as one, as they do in the worker."""
        first, *others = self._control_texts.parts(text)
        return self._count(first, with_special=with_special) + sum(
            self._count(part, with_special=False) for part in others
        )

    def tokens(self, text: str, *, with_special: bool, parses_special: bool = True) -> list[int]:
        """The ids. `with_special`: with the tokens that the model wants around a text, like its BOS.

        `parses_special`: special tokens written in the text are themselves, and not their characters.
        """
        first, *others = self._control_texts.parts(text) if parses_special else [text]
        ids = self._tokens(first, with_special=with_special, parses_special=parses_special)
        for part in others:
            ids += self._tokens(part, with_special=False, parses_special=True)
        return ids

    def _count(self, text: str, *, with_special: bool) -> int:
        data = text.encode("utf-8", "replace")
        # Without room for the tokens llama_tokenize answers their number, negated.
        count: int = llama_cpp.llama_tokenize(self._vocab, data, len(data), None, 0, with_special, True)
        return abs(count)

    def _tokens(self, text: str, *, with_special: bool, parses_special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, room, with_special, parses_special)
        if count < 0:  # a vocabulary whose spaces become tokens of their own
            ids = (llama_cpp.llama_token * -count)()
            count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, -count, with_special, parses_special)
        return list(ids[:count])

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[int]:
        """The ids of a whole prompt, template included, as the worker will see them."""
        first, *others = self._rendered(messages, tools)
        tokens = self.tokens(first, with_special=True)
        for part in others:
            tokens += self.tokens(part, with_special=False)
        return tokens

    def text(self, tokens: Sequence[int]) -> str:
        """What the ids say, special tokens written out. Raises BadRequestError for an id that there is not."""
        return b"".join(self.pieces(tokens)).decode("utf-8", "replace")

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """The bytes of each token, which need not be whole characters. Raises BadRequestError."""
        count = llama_cpp.llama_vocab_n_tokens(self._vocab)
        if any(not 0 <= token < count for token in tokens):
            raise BadRequestError(f"This model's token ids go from 0 to {count - 1}.", param="tokens")
        return [self._piece(token) for token in tokens]

    def infill(self, prefix: str, suffix: str) -> list[int]:
        """A prompt that has the model write what stands between the two. Raises BadRequestError.

        In the order that llama.cpp's server uses: prefix, suffix, then the token after which the model fills in.
        """
        before = llama_cpp.llama_vocab_fim_pre(self._vocab)
        after = llama_cpp.llama_vocab_fim_suf(self._vocab)
        between = llama_cpp.llama_vocab_fim_mid(self._vocab)
        if llama_cpp.LLAMA_TOKEN_NULL in (before, after, between):
            raise BadRequestError("This model cannot fill in: its vocabulary has no infill tokens.", param="suffix")
        begin = [llama_cpp.llama_vocab_bos(self._vocab)] if llama_cpp.llama_vocab_get_add_bos(self._vocab) else []
        parts = [self.tokens(text, with_special=False, parses_special=False) for text in (prefix, suffix)]
        return [*begin, before, *parts[0], after, *parts[1], between]

    def _rendered(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[str]:
        """The parts of the prompt's text, see shared.templates.apart."""
        text = render(self._template, messages, bos=self._bos, eos=self._eos, tools=tools, control=self._control_texts)
        # The tokenizer adds the BOS itself; a template that writes it too would make two.
        return apart(text.removeprefix(self._bos) if self._bos else text)

    def _is_control(self, token: int) -> bool:
        is_marked = llama_cpp.llama_vocab_get_attr(self._vocab, token) & CONTROL_ATTRIBUTES
        return bool(is_marked) or bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def _piece(self, token: int) -> bytes:
        room = PIECE_BYTES
        while True:
            piece = ctypes.create_string_buffer(room)
            length: int = llama_cpp.llama_token_to_piece(self._vocab, token, piece, room, 0, True)
            if length >= 0:
                return piece.raw[:length]
            room = -length

    def _text_of(self, token: int) -> str:
        if token == llama_cpp.LLAMA_TOKEN_NULL:
            return ""
        return (llama_cpp.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")
