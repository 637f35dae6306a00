"""The secrets of a stack: made once, kept in the state directory, so that the next `up` finds the same keys."""

import secrets
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from cli.stack.errors import StackError
from cli.stack.files import read_json, write_private_json


def _fresh() -> str:
    return secrets.token_hex(32)


@dataclass(frozen=True)
class StackSecrets:
    """`api_key` and `admin_key` are '' until the session service has made them."""

    key_pepper: str = field(default_factory=_fresh, repr=False)
    internal_token: str = field(default_factory=_fresh, repr=False)
    redis_password: str = field(default_factory=_fresh, repr=False)
    postgres_password: str = field(default_factory=_fresh, repr=False)
    api_key: str = field(default="", repr=False)
    admin_key: str = field(default="", repr=False)

    @classmethod
    def load_or_create(cls, path: Path) -> "StackSecrets":
        """The secrets in `path`, which is written first if it is missing. Raises StackError if it is not readable."""
        if not path.exists():
            made = cls()
            made.save(path)
            return made
        content = read_json(path)
        names = {item.name for item in fields(cls)}
        if content is None or not set(content) <= names or not all(isinstance(v, str) for v in content.values()):
            raise StackError(f"{path} is damaged: remove the whole state directory to begin anew.")
        return cls(**content)

    def save(self, path: Path) -> None:
        write_private_json(path, asdict(self))

    def with_keys(self, api_key: str, admin_key: str) -> "StackSecrets":
        return replace(self, api_key=api_key, admin_key=admin_key)
