import pytest

from cli.model_store.choice import HubFile, choose, in_words
from cli.model_store.errors import ModelStoreError

REPO = "owner/repo"


def files(*paths: str) -> list[HubFile]:
    return [HubFile(REPO, path, 1_000_000, "c0ffee", sha256="00") for path in paths]


ALL = files("README.md", "m-Q2_K.gguf", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-Q8_0.gguf", "mmproj-f16.gguf")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("", "m-Q4_K_M.gguf"),
        ("Q8_0", "m-Q8_0.gguf"),
        ("q2_k", "m-Q2_K.gguf"),
        ("m-Q4_K_S.gguf", "m-Q4_K_S.gguf"),
        ("M-q4_k_s.GGUF", "m-Q4_K_S.gguf"),
        ("mmproj-f16.gguf", "mmproj-f16.gguf"),
    ],
)
def test_a_file_is_found_by_its_name_or_by_a_word_of_it(wanted: str, path: str) -> None:
    assert choose(ALL, REPO, wanted).path == path


def test_the_only_file_needs_no_name() -> None:
    assert choose(files("a.gguf", "mmproj-a.gguf", "x.bin"), REPO, "").path == "a.gguf"


def test_a_file_in_a_folder_is_found() -> None:
    assert choose(files("Q8_0/m-Q8_0.gguf", "Q2_K/m-Q2_K.gguf"), REPO, "Q2_K").name == "m-Q2_K.gguf"


@pytest.mark.parametrize(
    ("given", "wanted", "words"),
    [
        (files("x.safetensors"), "", "has no GGUF file"),
        (files("a.gguf", "b.gguf"), "", "2 GGUF files"),
        (ALL, "Q4_K", "No file of owner/repo is called 'Q4_K'"),
        (ALL, "m", "5 files|4 files"),
        (files("m-00001-of-00003.gguf", "m-00002-of-00003.gguf"), "m", "one of 3 parts"),
        (files("m-00001-of-00003.gguf"), "m-00001-of-00003.gguf", "one of 3 parts"),
    ],
)
def test_what_is_not_clear_is_asked_with_the_list(given: list[HubFile], wanted: str, words: str) -> None:
    with pytest.raises(ModelStoreError, match=words):
        choose(given, REPO, wanted)


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4_680_000_000, "4.7 GB"), (10**15, "1000.0 TB")]
)
def test_sizes_are_written_as_people_write_them(size: int, words: str) -> None:
    assert in_words(size) == words
