from pathlib import Path

import pytest

from cli.stack.errors import StackError
from cli.stack.models import StackModels

CHAT = '[models.talker]\nfile = "talker.gguf"\nkind = "chat"\ncontext_length = 512\n'
EMBEDDING = '[models.vectors]\nfile = "vectors.gguf"\nkind = "embedding"\ncontext_length = 64\n'


def stack_models(folder: Path, catalogue: str, *files: str) -> StackModels:
    (folder / "models.toml").write_text(catalogue)
    for name in files:
        (folder / name).touch()
    return StackModels.of(folder, "llama")


def test_a_missing_embedding_model_is_warned_of(tmp_path: Path) -> None:
    models = stack_models(tmp_path, CHAT + EMBEDDING, "talker.gguf")
    warnings: list[str] = []

    models.require_files(warnings.append)

    assert models.is_embedding_missing
    assert "vectors.gguf is missing" in warnings[0]


def test_a_missing_chat_model_is_an_error(tmp_path: Path) -> None:
    models = stack_models(tmp_path, CHAT + EMBEDDING, "vectors.gguf")

    with pytest.raises(StackError, match=r"talker\.gguf is missing"):
        models.require_files(print)
    assert not models.is_embedding_missing


def test_a_catalogue_without_embedding_models_misses_nothing(tmp_path: Path) -> None:
    models = stack_models(tmp_path, CHAT, "talker.gguf")

    models.require_files(pytest.fail)

    assert (models.chat, models.embedding, models.is_embedding_missing) == ("talker", "", False)
