"""Counting with a model's own vocabulary, read by llama.cpp from a file made for the test."""

from pathlib import Path

import pytest

from session_service.token_counter import TokenCounter
from shared.bodies.messages import Message
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import ModelNotFoundError, ModelUnavailableError
from tests.fakes.random_gguf import write_random_gguf


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_random_gguf(folder / "chat.gguf")
    (folder / "broken.gguf").write_bytes(b"GGUF, but not really")
    return folder


@pytest.fixture
def counter(models_dir: Path) -> TokenCounter:
    def entry(name: str, **fields: str) -> ModelEntry:
        return ModelEntry.model_validate({"name": name, "kind": "chat", "context_length": 512, **fields})

    entries = [
        entry("chat", file="chat.gguf"),
        entry("alpaca", file="chat.gguf", template="alpaca"),
        entry("gone", file="gone.gguf"),
        entry("broken", file="broken.gguf"),
        entry("vectors", file="chat.gguf", kind="embedding"),
    ]
    return TokenCounter(Catalogue(entries, models_dir))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("x", 1), ("the", 1), ("then", 2), ("<|im_end|>", 1), ("\u00e9", 2), ("a\x00b", 3), ("x" * 5000, 5000)],
)
def test_a_text_counts_in_the_models_vocabulary(counter: TokenCounter, text: str, tokens: int) -> None:
    assert counter.count_text("chat", text) == tokens


def test_a_prompt_counts_with_its_template(counter: TokenCounter) -> None:
    messages = [Message(role="user", content="the")]

    # <|im_start|>, u s er, newline, the, <|im_end|>, newline; <|im_start|>, a s s i s t an t, newline
    assert counter.count_prompt("chat", messages) == (1 + 3 + 1) + 1 + 2 + (1 + 8 + 1)


def test_the_catalogues_template_goes_before_the_files(counter: TokenCounter) -> None:
    messages = [Message(role="user", content="the")]

    assert counter.count_prompt("alpaca", messages) != counter.count_prompt("chat", messages)


@pytest.mark.parametrize("model", ["unknown", "vectors"])
def test_what_is_no_chat_model_is_not_found(counter: TokenCounter, model: str) -> None:
    with pytest.raises(ModelNotFoundError):
        counter.count_prompt(model, [])


@pytest.mark.parametrize(("model", "sentence"), [("gone", "is missing: put gone.gguf"), ("broken", "cannot be read")])
def test_a_model_without_a_usable_file_is_unavailable(counter: TokenCounter, model: str, sentence: str) -> None:
    with pytest.raises(ModelUnavailableError, match=sentence):
        counter.count_text(model, "x")


def test_an_entry_that_changes_is_counted_anew(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.catalogue.LOOK_INTERVAL_S", 0.0)
    (models_dir / "models.toml").write_text('[models.m]\nfile = "chat.gguf"\nkind = "chat"\ncontext_length = 512\n')
    counter = TokenCounter(Catalogue.load(models_dir))
    messages = [Message(role="user", content="the")]
    before = counter.count_prompt("m", messages)

    with (models_dir / "models.toml").open("a") as catalogue:
        catalogue.write('template = "alpaca"\n')

    assert counter.count_prompt("m", messages) != before
