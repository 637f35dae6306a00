"""stack.json: what a running stack says about itself, for people, tests and other commands."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cli.stack.files import read_json, write_private_json

Role = Literal["gateway", "worker", "session_service", "embedding_service", "redis", "postgres"]


class ProcessDescription(BaseModel):
    """One process of the stack; `address` is host:port, `log` the path of its log file."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    pid: int
    log: str
    address: str = ""


class StackDescription(BaseModel):
    """The whole stack. `url` is the first gateway's; the two keys belong to the default tenant."""

    model_config = ConfigDict(frozen=True)

    url: str
    gateways: list[str]
    api_key: str
    admin_key: str
    model: str
    embedding_model: str
    redis_url: str
    database_url: str
    processes: list[ProcessDescription]

    @classmethod
    def read(cls, path: Path) -> "StackDescription | None":
        """None when there is no such file, or not a whole one."""
        content = read_json(path)
        try:
            return None if content is None else cls.model_validate(content)
        except ValidationError:
            return None

    def write(self, path: Path) -> None:
        content: dict[str, Any] = self.model_dump()
        write_private_json(path, content)
