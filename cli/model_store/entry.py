"""The entry of a model in models.toml, from what its file says."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cli.model_store.errors import ModelStoreError
from cli.model_store.gguf_header import GgufHeader
from shared.catalogue import ModelEntry
from shared.templates.fallback import FALLBACK_NAMES

DEFAULT_CONTEXT_LENGTH = 4096
"""Tokens at most, when --context says nothing: a worker makes room for so many in each of its slots."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_USABLE_POOLING = (1, 2, 3)  # mean, first and last token: llama.cpp's numbers
_RANK = 4
_ENCODERS = ("bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "gemma-embedding")

Kind = Literal["chat", "embedding"]


@dataclass(frozen=True)
class Wishes:
    """What the person asked for; '' and 0: as the file says."""

    name: str = ""
    kind: Kind | None = None
    context_length: int = 0
    template: str = ""
    base: str = ""
    """The model that an adapter sits on."""


@dataclass(frozen=True)
class Origin:
    """Where the file came from, for people who read models.toml."""

    owner: str = ""
    words: str = ""


def name_of(wishes: Wishes, file: Path) -> str:
    """The model's name: as wished, else that of the file. Raises ModelStoreError for one that no model can have."""
    name = wishes.name or re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-._").lower()
    if not _NAME.fullmatch(name):
        raise ModelStoreError(
            f"'{name}' cannot be a model's name: give --name with letters, digits, dots, dashes and underscores."
        )
    return name


def make_entry(name: str, file: str, sha256: str, header: GgufHeader, wishes: Wishes, origin: Origin) -> ModelEntry:
    """Raises ModelStoreError for a file that Drover cannot serve, or a wish that cannot be met."""
    refuse_other_files(header, file, base=wishes.base)
    if wishes.template and wishes.template not in FALLBACK_NAMES:
        raise ModelStoreError(f"There is no template '{wishes.template}': choose {', '.join(sorted(FALLBACK_NAMES))}.")
    kind = "chat" if wishes.base else wishes.kind or kind_of(header)
    architecture = header.text("general.architecture")
    return ModelEntry(
        name=name,
        file=file,
        kind=kind,
        context_length=wishes.context_length if wishes.base else _context_length(header, wishes.context_length),
        sha256=sha256,
        owned_by=origin.owner or "local",
        created=int(time.time()),
        description=_one_line(f"{header.text('general.name') or name} ({architecture}){origin.words}"),
        template=wishes.template,
        base=wishes.base,
        dimensions=header.number(f"{architecture}.embedding_length") if kind == "embedding" else 0,
    )


def refuse_other_files(header: GgufHeader, file: str, *, base: str) -> None:
    """Raises ModelStoreError for a GGUF that is no whole model, or no adapter if there is a `base`."""
    if header.number("split.count") > 1:
        raise ModelStoreError(
            f"{file} is one of {header.number('split.count')} parts: join them with `llama-gguf-split --merge`, or "
            "choose a file that is whole."
        )
    what = header.text("general.type") or "model"
    if what == "adapter" and header.text("adapter.type") == "lora":
        if not base:
            raise ModelStoreError(f"{file} is a LoRA adapter: name the model that it sits on with --base.")
    elif base:
        raise ModelStoreError(f"{file} is no LoRA adapter, so it sits on no other model: leave --base away.")
    elif what != "model":
        raise ModelStoreError(f"{file} holds no model but what GGUF calls '{what}': choose the model's own file.")
    if not header.text("general.architecture"):
        raise ModelStoreError(f"{file} does not say which architecture it has: it is no model.")


def kind_of(header: GgufHeader) -> Kind:
    """Raises ModelStoreError for a model that only ranks."""
    architecture = header.text("general.architecture")
    pooling = header.number(f"{architecture}.pooling_type")
    if pooling == _RANK:
        raise ModelStoreError("This model ranks texts; Drover serves models that chat or embed.")
    return "embedding" if architecture in _ENCODERS or pooling in _USABLE_POOLING else "chat"


def has_template(header: GgufHeader) -> bool:
    return bool(header.text("tokenizer.chat_template"))


def _context_length(header: GgufHeader, wished: int) -> int:
    trained = header.number(f"{header.text('general.architecture')}.context_length")
    if not trained and not wished:
        raise ModelStoreError("The file does not say how long its context is: give --context.")
    if trained and wished > trained:
        raise ModelStoreError(f"The model was trained on {trained} tokens: --context cannot be more.")
    return wished or min(trained, DEFAULT_CONTEXT_LENGTH)


def _one_line(text: str) -> str:
    """A stranger's text without what a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:200]
