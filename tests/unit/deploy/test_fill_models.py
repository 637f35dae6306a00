from pathlib import Path

import pytest

from deploy.images.fill_models import fill


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the image brings."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "models.toml").write_text("demo")
    (folder / "drover-tiny.gguf").write_text("weights")
    return folder


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def test_an_empty_volume_gets_catalogue_and_models(image: Path, volume: Path) -> None:
    copied = fill(image, volume)

    assert copied == ["drover-tiny.gguf", "models.toml"]
    assert {file.name: file.read_text() for file in volume.iterdir()} == {
        "models.toml": "demo",
        "drover-tiny.gguf": "weights",
    }


def test_a_catalogue_that_somebody_changed_stays(image: Path, volume: Path) -> None:
    (volume / "models.toml").write_text("demo and my own")

    copied = fill(image, volume)

    assert copied == ["drover-tiny.gguf"]
    assert (volume / "models.toml").read_text() == "demo and my own"


def test_a_second_start_copies_nothing(image: Path, volume: Path) -> None:
    fill(image, volume)

    assert fill(image, volume) == []
