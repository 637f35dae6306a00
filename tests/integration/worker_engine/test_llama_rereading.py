"""What llama.cpp computes of an answer that it reads again, beside what it computed when it generated that answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.bodies.messages import Message
from shared.catalogue import Catalogue, ModelEntry
from shared.events import TokensEvent
from shared.templates import render
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.base import Piece
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory
from worker.loaded_model import LoadedModel

LENGTH = 300
LARGEST_SMALL_PIECE = 63
"""ggml's attention has a kernel of its own for 64 tokens of a sequence and more (GGML_FA_TILE_Q)."""

NOISE = 0.6
"""What a logit of drover-tiny may move by when an answer is read again at once; 0.31 was the most that was measured."""

STORY_TOKENS = 145
"""The story is known by heart: its likeliest tokens are 6.7 and more ahead up to here. What follows it is guessed."""

PENALISED = {"temperature": 0.0, "repeat_penalty": 1.3, "frequency_penalty": 0.4, "ignore_eos": True}


def drover_tiny() -> tuple[ModelEntry, Path]:
    catalogue = Catalogue.load(Path("models"))
    entry = catalogue.get("drover-tiny")
    return entry, catalogue.path_of(entry)


@pytest.fixture(scope="module")
def llama() -> Iterator[Any]:
    engine = LlamaFactory(LlamaOptions(slots=2, batch_tokens=512)).open(*drover_tiny())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def prompt(llama: Any) -> list[int]:
    text = render(llama.template, (Message(role="user", content="Tell me a story."),), bos=llama.bos, eos=llama.eos)
    tokens: list[int] = llama.tokenize(text.removeprefix(llama.bos))
    return tokens


@pytest.fixture(scope="module")
def said(llama: Any, prompt: list[int]) -> tuple[list[int], list[Any]]:
    """The tokens of an answer generated one by one, and the logits that each was chosen from."""
    sampler = llama.new_sampler(a_job(**PENALISED), prompt, [], 0)
    tokens: list[int] = []
    rows = [read(llama, prompt, len(prompt))]
    for seq in range(1, LENGTH + 1):
        tokens.append(sampler.sample(0, seq).token)
        llama.decode([Piece(0, tokens[-1:], len(prompt) + seq - 1, True)])
        rows.append(llama.logits(0).copy())
    sampler.close()
    return tokens, rows


def read(llama: Any, tokens: list[int], piece_tokens: int, slot: int = 0) -> Any:
    """The logits after `tokens`, read into an empty slot."""
    llama.clear(slot)
    for start in range(0, len(tokens), piece_tokens):
        llama.decode([Piece(slot, tokens[start : start + piece_tokens], start, True)])
    return llama.logits(0).copy()


@pytest.mark.parametrize("piece_tokens", [2, 16, LARGEST_SMALL_PIECE])
def test_in_small_pieces_the_logits_are_the_same_to_the_bit(
    llama: Any, prompt: list[int], said: tuple[list[int], list[Any]], piece_tokens: int
) -> None:
    """tests/fault/test_continuation.py stands on this."""
    tokens, rows = said

    for cut in range(1, LENGTH, 13):
        again = read(llama, prompt + tokens[:cut], piece_tokens, slot=1)

        assert np.array_equal(again, rows[cut]), f"after {cut} tokens, by {np.abs(again - rows[cut]).max()}"


def test_at_once_they_move_by_little(llama: Any, prompt: list[int], said: tuple[list[int], list[Any]]) -> None:
    tokens, rows = said

    moved = [np.abs(read(llama, prompt + tokens[:cut], 512, slot=1) - rows[cut]).max() for cut in range(1, LENGTH, 5)]

    assert max(moved) < NOISE


def test_from_the_same_logits_a_new_sampler_chooses_the_same_at_every_place(
    llama: Any, prompt: list[int], said: tuple[list[int], list[Any]]
) -> None:
    tokens, rows = said
    read(llama, prompt, len(prompt))

    for cut in range(0, LENGTH, 7):
        sampler = llama.new_sampler(a_job(**PENALISED), prompt, tokens[:cut], 0)
        for seq in range(cut + 1, LENGTH + 1):
            llama.logits(0)[:] = rows[seq - 1]

            assert sampler.sample(0, seq).token == tokens[seq - 1], f"cut after {cut}, token {seq}"
        sampler.close()


def test_a_story_known_by_heart_goes_on_as_it_was_though_it_is_read_again_at_once() -> None:
    """With the pieces that workers use: greedy answers stand the noise where no two tokens are nearly as likely."""
    entry, path = drover_tiny()
    model = LoadedModel(entry, LlamaFactory(LlamaOptions()).open(entry, path), stall_s=5, prefill_stall_s=60)
    whole = tell(model, "first", [])

    for cut in (1, 48, 49, 50, 51, 100, STORY_TOKENS - 1):
        logged = whole.token_ids[:cut]
        texts = [text for event in whole.events for text in event.texts][:cut]
        rest = tell(model, f"tenant-{cut}", [TokensEvent("j1", 1, 1, logged, texts)])

        assert logged + rest.token_ids == whole.token_ids
        assert rest.final.usage is not None
        assert rest.final.usage.cached_tokens == 0, "it was not read again"
    model.close()


def tell(model: LoadedModel, tenant_id: str, logged: list[TokensEvent]) -> Collector:
    """No tenant uses what another has left in the KV cache."""
    collector = Collector()
    job = a_job(text="Tell me a story.", max_tokens=STORY_TOKENS, tenant_id=tenant_id)
    if logged:
        job = job.model_copy(update={"model_digest": model.entry.sha256})
    model.submit(a_request(job, collector, logged=logged))
    collector.wait()
    return collector
