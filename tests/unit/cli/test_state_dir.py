"""The lock of a state directory."""

from pathlib import Path

import pytest

from cli.stack.errors import StackError, StackRunsError
from cli.stack.state_dir import StateDir


def test_a_second_supervisor_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    first, second = StateDir(tmp_path), StateDir(tmp_path)
    first.lock()

    with pytest.raises(StackRunsError, match="already runs"):
        second.lock()
    assert second.is_locked()

    first.unlock()
    assert not second.is_locked()
    second.lock()
    second.unlock()


def test_asking_about_a_directory_that_does_not_exist_makes_nothing(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "none")

    assert not state.is_locked()
    assert not state.path.exists()


def test_a_path_that_cannot_be_a_directory_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StackError, match="choose another --state-dir"):
        StateDir(tmp_path / "file" / "state").create()
