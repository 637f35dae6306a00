import hashlib
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "models"
CATALOGUE = tomllib.loads((FOLDER / "models.toml").read_text(encoding="utf-8"))["models"]


def test_the_committed_model_is_the_one_in_the_catalogue() -> None:
    entry = CATALOGUE["drover-tiny"]

    digest = hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest()

    assert digest == entry["sha256"]


def test_the_committed_model_is_small() -> None:
    assert (FOLDER / CATALOGUE["drover-tiny"]["file"]).stat().st_size < 10_000_000


def test_every_model_says_what_it_is_for() -> None:
    kinds = {name: entry["kind"] for name, entry in CATALOGUE.items()}

    # Further ones are those that somebody pulled into this checkout.
    assert (kinds["drover-tiny"], kinds["all-minilm-l6-v2"]) == ("chat", "embedding")
