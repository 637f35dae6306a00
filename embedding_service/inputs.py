"""From the body's input to token lists that the model can take."""

from typing import Protocol, cast

from shared.bodies.embeddings import EmbeddingsBody
from shared.errors import BadRequestError, ContextLengthExceededError


class Vocabulary(Protocol):
    """What an engine tells about its inputs."""

    @property
    def max_input_tokens(self) -> int: ...

    @property
    def vocabulary_size(self) -> int: ...

    def tokenize(self, text: str) -> list[int]: ...


def token_lists(body: EmbeddingsBody, vocabulary: Vocabulary) -> list[list[int]]:
    """One list of token ids for each input. Token ids are taken as they are, without special tokens around them.

    Raises BadRequestError for an empty input or a token id that the model does not have,
    ContextLengthExceededError for an input that is too long; both name its index.
    """
    return [_tokens(field, item, vocabulary) for field, item in _items(body)]


def _items(body: EmbeddingsBody) -> list[tuple[str, str | list[int]]]:
    """Each input with the path of its field."""
    if isinstance(body.input, str) or isinstance(body.input[0], int):
        return [("input", body.input)]
    items = cast("list[str | list[int]]", body.input)
    return [(f"input.{index}", item) for index, item in enumerate(items)]


def _tokens(field: str, item: str | list[int], vocabulary: Vocabulary) -> list[int]:
    if not item:
        raise BadRequestError(f"'{field}' is empty; send at least one character.", param=field)
    tokens = vocabulary.tokenize(item) if isinstance(item, str) else item
    if not tokens:
        raise BadRequestError(f"'{field}' has no token that the model knows; send other text.", param=field)
    if len(tokens) > vocabulary.max_input_tokens:
        raise ContextLengthExceededError(
            f"'{field}' has {len(tokens)} tokens, the model takes {vocabulary.max_input_tokens} at most; shorten it.",
            param=field,
        )
    last_id = vocabulary.vocabulary_size - 1
    if min(tokens) < 0 or max(tokens) > last_id:
        raise BadRequestError(f"'{field}' has a token id outside the model's vocabulary (0 to {last_id}).", param=field)
    return tokens
