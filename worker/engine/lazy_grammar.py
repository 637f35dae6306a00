"""A grammar that waits: the answer is free until its text ends with a trigger, such as the mark of a tool call."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from shared.errors import InferenceError
from worker.engine.llama_grammar import Allowed
from worker.grammar.answer_rule import Trigger


class TokenRule(Protocol):
    """What says which token may come next, and hears which one came."""

    def offer(self, token: int) -> Allowed | None:
        """Go on by `token` and return None, or all tokens that fit if this one does not."""

    def take(self, token: int) -> None:
        """Go on by a token that fits. Raises InferenceError if it does not."""

    def close(self) -> None:
        """Free what it holds; twice is harmless."""


class LazyGrammar:
    """Begins with nothing but the text; only an answer that comes to the trigger costs a grammar's process.

    `begin` makes the grammar, with the tokens that it has missed; None: the trigger must not come about. A token that
    goes on behind the trigger is refused: the grammar is to see what follows from its first letter on.
    """

    def __init__(
        self,
        trigger: Trigger,
        begin: Callable[[Sequence[int]], TokenRule] | None,
        token_bytes: Sequence[bytes],
        generated: Sequence[int],
    ):
        self._trigger = trigger
        self._begin = begin
        self._token_bytes = token_bytes
        self._text = b""
        self._tokens: list[int] = []
        self._grammar: TokenRule | None = None
        for place, token in enumerate(generated):
            if self._begin is not None and self._trigger_end(token) == len(token_bytes[token]):
                missed = generated if trigger.is_whole else generated[place + 1 :]
                self._grammar = self._begin(missed)
                return
            self._go_on(token)

    def offer(self, token: int) -> Allowed | None:
        if self._grammar is not None:
            return self._grammar.offer(token)
        end = self._trigger_end(token)
        if end is None:
            self._go_on(token)
            return None
        written = self._token_bytes[token][:end]
        if self._begin is None:
            return self._without_trigger(written[-1])
        if end == len(self._token_bytes[token]):
            self._grammar = self._begin([*self._tokens, token] if self._trigger.is_whole else [])
            return None
        beginnings = {written[:length] for length in range(1, end + 1)}
        return np.array([piece in beginnings for piece in self._token_bytes])

    def take(self, token: int) -> None:
        if self._grammar is not None:
            self._grammar.take(token)
        elif self.offer(token) is not None:
            raise InferenceError("A token was chosen that had not been allowed.")

    def close(self) -> None:
        if self._grammar is not None:
            self._grammar.close()

    def _without_trigger(self, last_byte: int) -> Allowed:
        """All tokens but those that complete the trigger, which all have its last byte: few need a closer look."""
        allowed = np.ones(len(self._token_bytes), dtype=np.bool_)
        for token, piece in enumerate(self._token_bytes):
            if last_byte in piece and self._trigger_end(token) is not None:
                allowed[token] = False
        return allowed

    def _trigger_end(self, token: int) -> int | None:
        """Where in the token's bytes the trigger is complete; None if it does not come to that."""
        piece = self._token_bytes[token]
        if not piece or (self._trigger.is_whole and len(self._text) > self._trigger.reach):
            return None
        found = self._trigger.pattern.search(self._text + piece)
        return None if found is None else found.end() - len(self._text)

    def _go_on(self, token: int) -> None:
        self._text += self._token_bytes[token]
        if not self._trigger.is_whole:
            self._text = self._text[-self._trigger.reach :]
        elif len(self._text) <= self._trigger.reach:
            self._tokens.append(token)
