"""What the tests of images and Compose read."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
_DEFAULT = re.compile(r"\$\{([A-Z_]+):-([^{}]*)\}")


def compose_variables() -> dict[str, str]:
    """The variables of docker-compose.yml with their defaults."""
    lines = _compose_text().splitlines()
    return dict(_DEFAULT.findall("\n".join(line for line in lines if not line.startswith("#"))))


def compose_with_defaults() -> dict[str, Any]:
    """What Compose makes of docker-compose.yml where nothing is set."""
    parsed: dict[str, Any] = yaml.safe_load(_DEFAULT.sub(lambda match: match[2], _compose_text()))
    return parsed


def _compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
