"""What every service's settings have in common: frozen, built once at start, strangers refused."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the setting and what to do."""


class Settings(BaseSettings):
    """Settings that several services share, under their own names without a service's prefix."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="the ledger and the channels; with an append-only file and noeviction",
    )
    broker_url: str = Field(
        default="",
        validation_alias="CELERY_BROKER_URL",
        description="where the hints travel; empty: the same as REDIS_URL",
    )
    models_dir: Path = Field(
        default=Path("models"), validation_alias="DROVER_MODELS_DIR", description="the folder that has models.toml"
    )
    internal_token: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="DROVER_INTERNAL_TOKEN",
        description="a random secret, the same for all services: they know each other by it",
    )
    log_level: str = Field(
        default="INFO", validation_alias="DROVER_LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR"
    )
    traces_endpoint: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="where spans are sent, such as http://otel-collector:4318 (OTLP over HTTP); empty: no traces",
    )
    traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field(
        default="parentbased_traceidratio",
        validation_alias="OTEL_TRACES_SAMPLER",
        description="which traces are recorded; `parentbased_…` does as whoever sent `traceparent` decided",
    )
    traces_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        validation_alias="OTEL_TRACES_SAMPLER_ARG",
        description="the part of the traces that the `…traceidratio` samplers record",
    )

    @property
    def hints_url(self) -> str:
        """Where hints travel: the broker's URL, Redis if none is given."""
        return self.broker_url or self.redis_url

    @classmethod
    def load(cls) -> Self:
        """The settings from the environment. Raises ConfigurationError for a bad value or an unknown prefixed name."""
        if strangers := cls._strangers():
            raise ConfigurationError(f"Unknown setting {', '.join(strangers)}: docs/configuration.md has the names.")
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigurationError(f"Setting {cls.variable_of(str(first['loc'][0]))}: {first['msg']}.") from error

    @classmethod
    def variable_of(cls, name: str) -> str:
        """The environment variable of the field `name`."""
        alias = cls.model_fields[name].validation_alias if name in cls.model_fields else name
        return str(alias or (cls.model_config.get("env_prefix", "") + name).upper())

    @classmethod
    def _strangers(cls) -> list[str]:
        """Variables with this service's prefix that are no setting: pydantic-settings would ignore a mistyped name."""
        prefix = cls.model_config.get("env_prefix")
        known = {cls.variable_of(name) for name in cls.model_fields}
        return sorted(name for name in os.environ if prefix and name.startswith(prefix) and name not in known)
