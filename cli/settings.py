"""What the command line reads from the environment."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import Settings

PROJECT_DIR = Path(__file__).resolve().parents[1]
"""The checkout, or site-packages when Drover was installed from a wheel: the folder that holds the packages."""


class CliSettings(Settings):
    """An empty `redis_url` or `database_url` means: start the embedded server."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    redis_url: str = Field(
        default="", validation_alias="REDIS_URL", description="a Redis of yours instead of the embedded one"
    )
    database_url: str = Field(
        default="", validation_alias="DATABASE_URL", description="a Postgres of yours instead of the embedded one"
    )
    url: str = Field(
        default="",
        validation_alias="DROVER_URL",
        description="the gateway that the commands call, or several with commas",
    )
    api_key: SecretStr = Field(
        default=SecretStr(""), validation_alias="DROVER_API_KEY", description="the key that the commands send"
    )

    session: str = Field(
        default="", validation_alias="DROVER_SESSION", description="the session in which `drover chat` goes on"
    )
    xdg_state_home: str = Field(
        default="",
        validation_alias="XDG_STATE_HOME",
        description="where `drover chat` keeps the lines that were typed; empty: ~/.local/state",
    )

    @property
    def models_folder(self) -> Path:
        """Where models.toml lies: as set, else ./models, else the one beside the packages."""
        chosen = self.models_dir
        if "models_dir" not in self.model_fields_set and not (chosen / "models.toml").is_file():
            chosen = PROJECT_DIR / "models"
        return chosen.resolve()
