"""The vocabulary of a llama.cpp model: text to tokens, tokens to bytes, which ones end an answer."""

import ctypes

import llama_cpp

from shared.errors import InferenceError
from shared.templates import ControlTexts
from shared.tool_calls import MARKS

CONTROL_ATTRIBUTES = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


class LlamaVocabulary:
    """Read once when the model is loaded; safe in any thread."""

    def __init__(self, model: int):
        self.handle = llama_cpp.llama_model_get_vocab(model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.handle)
        self.bos = self._text_of(llama_cpp.llama_vocab_bos(self.handle))
        self.eos = self._text_of(llama_cpp.llama_vocab_eos(self.handle))
        self.token_bytes = [self._bytes_of(token) for token in range(self.size)]
        self.end_tokens = frozenset(
            token for token in range(self.size) if llama_cpp.llama_vocab_is_eog(self.handle, token)
        )
        self.control_texts = ControlTexts(self._text_of(token) for token in range(self.size) if self._is_control(token))

    def tokenize(self, *parts: str) -> list[int]:
        """A text in parts, each by itself. Special tokens are recognised, the model's own ones are added to the first.

        Raises InferenceError.
        """
        tokens: list[int] = []
        short_parts = [short for part in parts for short in self.control_texts.parts(part)]
        for place, part in enumerate(short_parts):
            tokens += self._tokens_of(part, adds_special=place == 0)
        return tokens

    def _tokens_of(self, text: str, *, adds_special: bool) -> list[int]:
        data = text.encode(errors="replace")
        room = len(data) + 8  # no token is shorter than a byte, and a few are added
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.handle, data, len(data), tokens, room, adds_special, True)
        if count < 0:
            raise InferenceError("The prompt could not be split into tokens.")
        return tokens[:count]

    def _is_control(self, token: int) -> bool:
        is_marked = llama_cpp.llama_vocab_get_attr(self.handle, token) & CONTROL_ATTRIBUTES
        return bool(is_marked) or token in self.end_tokens

    def _bytes_of(self, token: int) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            length = llama_cpp.llama_token_to_piece(self.handle, token, buffer, room, 0, False)
            if length == 0:
                return self._mark(token)
            if length > 0:
                return buffer.raw[:length]
            room = -length

    def _mark(self, token: int) -> bytes:
        """A control token adds nothing to the text, but for those by which tool calls are found in it."""
        text = self._text_of(token)
        return text.encode() if text in MARKS else b""

    def _text_of(self, token: int) -> str:
        if token < 0:  # LLAMA_TOKEN_NULL: the model has none
            return ""
        text: bytes = llama_cpp.llama_vocab_get_text(self.handle, token)
        return text.decode(errors="replace")
