from pathlib import Path

import pytest

from shared.catalogue import Catalogue
from shared.errors import ModelNotFoundError
from shared.settings import ConfigurationError

ROOT = Path(__file__).parents[3]


def write(folder: Path, text: str) -> Path:
    (folder / "models.toml").write_text(text)
    return folder


def test_models_are_found_by_name_and_kind(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[models.a]\nfile = "a.gguf"\nkind = "chat"\ncontext_length = 512\n'
        '[models.b]\nfile = "b.gguf"\nkind = "embedding"\ncontext_length = 256\ndimensions = 384\n',
    )

    catalogue = Catalogue.load(tmp_path)

    assert catalogue.get("a").context_length == 512
    assert [entry.name for entry in catalogue.of_kind("embedding")] == ["b"]
    assert catalogue.path_of(catalogue.get("a")) == tmp_path / "a.gguf"


def test_an_unknown_model_is_a_404_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="gpt-9") as refused:
        Catalogue.load(write(tmp_path, "")).get("gpt-9")

    assert refused.value.param == "model"


def test_a_file_outside_the_models_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, '[models.a]\nfile = "../../etc/passwd"\nkind = "chat"\ncontext_length = 512\n')
    catalogue = Catalogue.load(tmp_path)

    with pytest.raises(ConfigurationError, match="outside"):
        catalogue.path_of(catalogue.get("a"))


@pytest.mark.parametrize(
    "text",
    [
        "[models",
        '[models.a]\nfile = "a"\n',
        '[models.a]\nfile="a"\nkind="chat"\ncontext_length=1\ncontex=2',
        "models=7",
    ],
)
def test_a_catalogue_that_is_not_valid_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"models\.toml"):
        Catalogue.load(write(tmp_path, text))


def test_a_catalogue_that_cannot_be_read_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "models.toml").mkdir()

    with pytest.raises(ConfigurationError, match=r"models\.toml cannot be read"):
        Catalogue.load(tmp_path)


def test_a_catalogue_that_is_no_text_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationError, match=r"models\.toml is not valid"):
        Catalogue.load(tmp_path)


def test_a_missing_catalogue_says_which_setting_to_change(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DROVER_MODELS_DIR"):
        Catalogue.load(tmp_path)


def test_the_catalogue_of_this_repository_has_a_chat_and_an_embedding_model() -> None:
    catalogue = Catalogue.load(ROOT / "models")

    assert catalogue.get("drover-tiny").kind == "chat"
    assert catalogue.get("all-minilm-l6-v2").dimensions == 384
    assert catalogue.path_of(catalogue.get("drover-tiny")).is_file()
