"""Which models a stack serves by default, and whether their files are there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.stack.errors import StackError
from shared.catalogue import Catalogue, ModelEntry
from shared.settings import ConfigurationError


@dataclass(frozen=True)
class StackModels:
    """The names of the default models, '' where the catalogue has none of the kind, and the files that are missing."""

    chat: str
    embedding: str
    missing: list[Path]
    is_chat_missing: bool
    is_embedding_missing: bool = False

    @classmethod
    def of(cls, folder: Path, engine: str) -> "StackModels":
        """Read the catalogue in `folder`; the simulated engine needs no chat model's file. Raises StackError."""
        try:
            catalogue = Catalogue.load(folder)
            chat, embedding = _first(catalogue, "chat"), _first(catalogue, "embedding")
            missing = [catalogue.path_of(e) for e in (chat, embedding) if e and not catalogue.path_of(e).is_file()]
            is_chat_missing = engine == "llama" and chat is not None and catalogue.path_of(chat) in missing
            is_embedding_missing = embedding is not None and catalogue.path_of(embedding) in missing
        except ConfigurationError as error:
            raise StackError(str(error)) from error
        names = (chat.name if chat else "", embedding.name if embedding else "")
        return cls(*names, missing, is_chat_missing, is_embedding_missing)

    def require_files(self, warn: Callable[[str], None]) -> None:
        """Raises StackError when the chat model's file is missing; a missing embedding model is only warned of."""
        for path in self.missing:
            sentence = f"The model file {path} is missing: run `make models`."
            if self.is_chat_missing:
                raise StackError(sentence)
            warn(sentence)


def _first(catalogue: Catalogue, kind: str) -> ModelEntry | None:
    return next((entry for entry in catalogue.all() if entry.kind == kind), None)
