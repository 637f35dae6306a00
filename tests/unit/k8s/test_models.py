import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from k8s.check.rendering import ROOT
from shared.catalogue import Catalogue

MODELS = ROOT / "base" / "models"
REPOSITORY = ROOT.parent
TINY = REPOSITORY / "models" / "drover-tiny.gguf"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder with a catalogue of one model that lies in the repository."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    sha256 = tomllib.loads((MODELS / "models.toml").read_text("utf-8"))["models"]["drover-tiny"]["sha256"]
    (folder / "models.toml").write_text(
        f'[models.small]\nfile = "files/drover-tiny.gguf"\nkind = "chat"\ncontext_length = 512\nsha256 = "{sha256}"\n',
        encoding="utf-8",
    )
    (folder / "sources.toml").write_text(f'[small]\ncopy = "{TINY}"\n', encoding="utf-8")
    return folder


def pull(catalogue: Path, store: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DROVER_MODELS_DIR": str(store)}
    script, files = MODELS / "pull_models.py", (catalogue / "models.toml", catalogue / "sources.toml")
    command = [sys.executable, *map(str, (script, *files))]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_the_catalogue_has_the_entries_of_the_repositorys_own(tmp_path: Path) -> None:
    shutil.copy(MODELS / "models.toml", tmp_path)

    in_cluster = {entry.name: (entry.sha256, entry.context_length) for entry in Catalogue.load(tmp_path).all()}
    own = Catalogue.load(REPOSITORY / "models").all()

    assert in_cluster == {entry.name: (entry.sha256, entry.context_length) for entry in own}


def test_every_model_has_a_source() -> None:
    models = tomllib.loads((MODELS / "models.toml").read_text("utf-8"))["models"]
    sources = tomllib.loads((MODELS / "sources.toml").read_text("utf-8"))

    assert sources.keys() == models.keys()


def test_files_are_put_on_the_volume_once_and_compared_each_time(catalogue: Path, tmp_path: Path) -> None:
    store, toml = tmp_path / "store", catalogue / "models.toml"

    first = pull(catalogue, store)
    written_at = (store / "drover-tiny.gguf").stat().st_mtime_ns
    second = pull(catalogue, store)
    toml.write_text(toml.read_text("utf-8").replace('sha256 = "9', 'sha256 = "0'), encoding="utf-8")
    other = pull(catalogue, store)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "the volume has small, digests compared" in second.stdout
    assert other.returncode == 1
    assert "small: models.toml has another sha256 than the file" in other.stderr
    assert (store / "drover-tiny.gguf").stat().st_mtime_ns == written_at


def test_a_model_without_a_source_is_told(catalogue: Path, tmp_path: Path) -> None:
    (catalogue / "sources.toml").write_text("", encoding="utf-8")

    done = pull(catalogue, tmp_path / "store")

    assert done.returncode == 1
    assert "sources.toml does not say where small comes from" in done.stderr


def test_a_pod_waits_until_the_files_are_there(catalogue: Path) -> None:
    (catalogue / "files").mkdir()
    command = [sys.executable, str(MODELS / "wait_for_models.py"), str(catalogue)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting for files/drover-tiny.gguf: look at the job models-pull\n"
        (catalogue / "files" / "drover-tiny.gguf").touch()

        assert waiting.stdout.readline() == "all models are there\n"
        assert waiting.wait(10) == 0
