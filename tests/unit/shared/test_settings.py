import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import ConfigurationError, Settings


class RoomSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="ROOM_")

    port: int = 8080
    secret: SecretStr = SecretStr("")


def test_a_value_comes_from_the_prefixed_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_PORT", "9")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/1")

    settings = RoomSettings.load()

    assert settings.port == 9
    assert settings.redis_url == settings.hints_url == "redis://elsewhere/1"


def test_the_broker_may_be_another_server_than_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://rabbit")

    assert RoomSettings.load().hints_url == "amqp://rabbit"


def test_a_mistyped_name_is_refused_with_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_PROT", "9")

    with pytest.raises(ConfigurationError, match="ROOM_PROT"):
        RoomSettings.load()


def test_a_bad_value_is_refused_with_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_PORT", "tcp://10.0.0.1:80")

    with pytest.raises(ConfigurationError, match="ROOM_PORT"):
        RoomSettings.load()


def test_a_secret_is_not_in_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOM_SECRET", "canary")

    assert "canary" not in repr(RoomSettings.load())
