import pytest

from embedding_service.settings import EmbeddingSettings
from shared.settings import ConfigurationError


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_PORT", "9000")
    monkeypatch.setenv("DROVER_INTERNAL_TOKEN", "secret")

    settings = EmbeddingSettings.load()

    assert (settings.host, settings.port) == ("127.0.0.1", 9000)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("PORT", "70000"), ("THREADS", "-1"), ("BATCH_TOKENS", "many")])
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"EMBEDDING_{name}", value)

    with pytest.raises(ConfigurationError, match=f"EMBEDDING_{name}"):
        EmbeddingSettings.load()
