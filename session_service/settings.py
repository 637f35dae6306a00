"""The session service's settings, read from the environment once at start."""

from typing import Self

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import ConfigurationError, Settings


class SessionSettings(Settings):
    """Everything that can be set. Of the default limits 0 means without limit."""

    model_config = SettingsConfigDict(env_prefix="SESSION_")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8081, ge=0, le=65535, description="0: any free one")
    database_url: SecretStr = Field(
        default=SecretStr("postgresql://postgres@127.0.0.1:5432/drover"),
        validation_alias="DATABASE_URL",
        description="Postgres, also by a Unix socket: `postgresql://user@/name?host=/path`",
    )
    key_pepper: SecretStr = Field(
        default=SecretStr(""), description="a random secret that is mixed into the stored form of every API key"
    )
    default_requests_per_minute: int = Field(default=600, ge=0, description="of a key without its own limit")
    default_tokens_per_minute: int = Field(default=0, ge=0, description="the same for prompt and answer together")
    default_concurrent_jobs: int = Field(default=64, ge=0, description="the same for jobs that wait or run")
    pool_size: int = Field(default=10, ge=1, description="connections to Postgres; as many again under load")
    connect_timeout_s: float = Field(
        default=2.5, gt=0, description="until a request has a connection to Postgres that answers; then it is a 503"
    )
    statement_timeout_s: float = Field(
        default=2.0, gt=0, description="of one SQL statement; a Postgres that hangs is given up half a second later"
    )
    lock_timeout_s: float = Field(default=2.0, gt=0, description="how long a statement waits for a row")
    idle_in_transaction_timeout_s: float = Field(
        default=5.0, gt=0, description="a transaction that asks nothing for this long is rolled back by Postgres"
    )
    ledger_timeout_s: float = Field(
        default=1.5, gt=0, description="how long the job ledger may take to say whether the turn before has ended"
    )
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024, description="a longer body is a 413")
    outbox_batch: int = Field(default=64, ge=1, description="entries that share one transaction at most")
    outbox_idle_s: float = Field(default=5.0, gt=0, description="after this another replica takes an entry over")
    metric_tenants: int = Field(
        default=50, ge=0, description="tenants with time series of their own in the metrics; the rest are `other`"
    )
    sweep_interval_s: float = Field(default=5.0, gt=0, description="how often turns without a job are looked for")
    accept_grace_s: float = Field(default=10.0, gt=0, description="how long a turn may be pending without a job")

    def require_pepper(self) -> Self:
        """These settings, if keys can be hashed with them. Raises ConfigurationError."""
        if len(self.key_pepper.get_secret_value()) < 16:
            raise ConfigurationError(
                "SESSION_KEY_PEPPER is missing or shorter than 16 characters: set it to a long random secret, "
                "the same for every replica and for the admin command."
            )
        return self

    def require_internal_token(self) -> Self:
        """These settings, if other services can be told from strangers. Raises ConfigurationError."""
        if not self.internal_token.get_secret_value():
            raise ConfigurationError(
                "DROVER_INTERNAL_TOKEN is missing: set it to a random secret, the same for every service."
            )
        return self
