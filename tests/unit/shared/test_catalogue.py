import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared import catalogue as catalogue_module
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


A = '[models.a]\nfile = "a.gguf"\nkind = "chat"\ncontext_length = 512\n'
B = '[models.b]\nfile = "b.gguf"\nkind = "chat"\ncontext_length = 512\n'


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at on every access."""
    monkeypatch.setattr(catalogue_module, "LOOK_INTERVAL_S", 0.0)


def names(catalogue: Catalogue) -> list[str]:
    return [entry.name for entry in catalogue.all()]


@pytest.mark.usefixtures("looks_at_once")
def test_a_model_that_is_added_to_the_file_is_there_without_a_restart(tmp_path: Path) -> None:
    catalogue = Catalogue.load(write(tmp_path, A))

    write(tmp_path, A + B)

    assert names(catalogue) == ["a", "b"]
    assert catalogue.get("b").file == "b.gguf"
    assert len(catalogue.of_kind("chat")) == 2


@pytest.mark.usefixtures("looks_at_once")
def test_a_model_that_is_taken_out_of_the_file_is_gone(tmp_path: Path) -> None:
    catalogue = Catalogue.load(write(tmp_path, A + B))

    write(tmp_path, A)

    with pytest.raises(ModelNotFoundError):
        catalogue.get("b")


@pytest.mark.usefixtures("looks_at_once")
def test_a_change_of_the_same_length_in_a_new_file_is_noticed(tmp_path: Path) -> None:
    catalogue = Catalogue.load(write(tmp_path, A))
    seen = (tmp_path / "models.toml").stat()

    other = tmp_path / "other.toml"
    other.write_text(A.replace("models.a", "models.c"))
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    other.replace(tmp_path / "models.toml")

    assert names(catalogue) == ["c"]


@pytest.mark.usefixtures("looks_at_once")
@pytest.mark.parametrize("text", ["[models", None])
def test_a_file_that_is_not_valid_leaves_the_old_models_with_one_warning(tmp_path: Path, text: str | None) -> None:
    catalogue = Catalogue.load(write(tmp_path, A))

    with capture_logs() as logs:
        (tmp_path / "models.toml").unlink()
        if text is not None:
            write(tmp_path, text)
        seen = [names(catalogue) for _ in range(3)]

    assert seen == [["a"]] * 3
    assert [(line["event"], line["log_level"]) for line in logs] == [("catalogue_not_reloaded", "warning")]
    write(tmp_path, A + B)
    assert names(catalogue) == ["a", "b"]


def test_the_file_is_looked_at_once_a_second(tmp_path: Path) -> None:
    catalogue = Catalogue.load(write(tmp_path, A))

    write(tmp_path, A + B)

    assert names(catalogue) == ["a"]


@pytest.mark.usefixtures("looks_at_once")
def test_many_threads_see_the_old_models_or_the_new_ones_whole(tmp_path: Path) -> None:
    catalogue = Catalogue.load(write(tmp_path, A))
    seen: set[tuple[str, ...]] = set()
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.add(tuple(names(catalogue)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for text in (A + B, A) * 20:
        draft = tmp_path / "draft"
        draft.write_text(text)
        draft.replace(tmp_path / "models.toml")
    over.set()
    for thread in threads:
        thread.join()

    assert seen <= {("a",), ("a", "b")}


ADAPTER = '[models.b]\nbase = "a"\nfile = "b.gguf"\nkind = "chat"\n'


def test_an_adapter_has_its_bases_file_and_what_else_it_does_not_give(tmp_path: Path) -> None:
    base = '[models.a]\nfile = "a.gguf"\nkind = "chat"\ncontext_length = 512\ntemplate = "chatml"\n'
    catalogue = Catalogue.load(write(tmp_path, base + ADAPTER))

    entry = catalogue.get("b")

    assert (entry.file, entry.context_length, entry.template) == ("a.gguf", 512, "chatml")
    assert catalogue.path_of(entry) == tmp_path / "a.gguf"
    assert catalogue.adapter_path_of(entry) == tmp_path / "b.gguf"
    assert catalogue.adapter_path_of(catalogue.get("a")) is None


@pytest.mark.parametrize(
    "base",
    [
        "",
        '[models.a]\nfile = "a.gguf"\nkind = "embedding"\ncontext_length = 512\n',
        '[models.a]\nbase = "b"\nfile = "a.gguf"\nkind = "chat"\n',
    ],
)
def test_an_adapter_without_a_chat_model_under_it_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a chat model"):
        Catalogue.load(write(tmp_path, base + ADAPTER))


def test_a_model_without_a_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="context_length"):
        Catalogue.load(write(tmp_path, '[models.a]\nfile = "a.gguf"\nkind = "chat"\n'))
