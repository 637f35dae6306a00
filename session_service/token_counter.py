"""What every model of the catalogue makes of text: counts and tokens, by its own vocabulary, without its weights."""

import threading
from collections.abc import Sequence

from session_service.vocabulary import Vocabulary
from shared.bodies.messages import Message
from shared.bodies.tools import Tool
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import ModelNotFoundError


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
        return self.vocabulary(model).count_prompt(messages, tools)

    def count_text(self, model: str, text: str) -> int:
        """Tokens of a text alone. Raises ModelNotFoundError, ModelUnavailableError."""
        return self.vocabulary(model).count(text, with_special=False)

    def vocabulary(self, model: str) -> Vocabulary:
        """Raises ModelNotFoundError, ModelUnavailableError."""
        entry = self._entry(model)
        if (loaded := self._loaded(entry)) is not None:
            return loaded
        with self._loading:
            if (loaded := self._loaded(entry)) is None:
                loaded = Vocabulary(entry, self._catalogue.path_of(entry))
                self._vocabularies[model] = (entry, loaded)
            return loaded

    def _loaded(self, entry: ModelEntry) -> Vocabulary | None:
        known, vocabulary = self._vocabularies.get(entry.name, (None, None))
        return vocabulary if known == entry else None

    def _entry(self, model: str) -> ModelEntry:
        entry = self._catalogue.get(model)
        if entry.kind != "chat":
            raise ModelNotFoundError(f"The model '{model}' is not a chat model.", param="model")
        return entry
