import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.unprivileged import let_in


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="drover-let-in-"))  # not tmp_path: pytest closes its parents again
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root opens folders for another user")
def test_closed_folders_are_opened_for_passing_only_and_named(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir(mode=0o700)

    opened = let_in("nobody", inner)

    assert opened == [folder, inner]
    assert stat.S_IMODE(inner.stat().st_mode) == stat.S_IMODE(folder.stat().st_mode) == 0o701
    assert let_in("nobody", inner) == []
