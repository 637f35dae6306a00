import pytest

from shared.settings import ConfigurationError
from worker.settings import WorkerSettings


def test_lists_are_names_with_commas_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_PRELOAD", "tiny, small")
    monkeypatch.setenv("WORKER_PINNED", "")

    settings = WorkerSettings.load()

    assert settings.preload == ("tiny", "small")
    assert settings.pinned == ()


def test_two_workers_on_one_machine_have_two_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKER_ID", raising=False)
    first = WorkerSettings.load().worker_id

    monkeypatch.setattr("os.getpid", lambda: 4711)

    assert WorkerSettings.load().worker_id != first


def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SLOTS", "none")

    with pytest.raises(ConfigurationError, match="WORKER_SLOTS"):
        WorkerSettings.load()


def test_a_mistyped_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SLOTZ", "4")

    with pytest.raises(ConfigurationError, match="WORKER_SLOTZ"):
        WorkerSettings.load()
