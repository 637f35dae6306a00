"""Writes what follows from the settings classes: `make configuration`.

That is docs/configuration.md, .env.example, and deploy/compose/settings.yml, by which a setting in .env reaches its
container. A test fails when they differ, so every setting is documented with its present default.
"""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cli.settings import CliSettings
from embedding_service.settings import EmbeddingSettings
from gateway.settings import GatewaySettings
from scripts.compose_variables import COMPOSE_VARIABLES
from session_service.settings import SessionSettings
from shared.settings import Settings
from worker.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[1]

INTRODUCTION = """# Configuration

Settings are environment variables, read once when a process starts. A value that is not valid, and a name with a
service's prefix that does not exist, stop the start with one sentence. `drover up` passes its environment on to the
services that it starts, and sets for them what they need to find each other.

This page and `.env.example` are written from the settings classes by `make configuration`; a test compares.
"""

SECTIONS: list[tuple[str, str, type[Settings]]] = [
    ("All services", "Names without a prefix, read by every service that needs them.", Settings),
    ("Gateway", "", GatewaySettings),
    ("Worker", "Lists are names with commas between them.", WorkerSettings),
    ("Session service", "Of the default limits, 0 means without limit. A key may have its own.", SessionSettings),
    ("Embedding service", "", EmbeddingSettings),
    (
        "Command line",
        "`drover up` starts the embedded servers unless `REDIS_URL` or `DATABASE_URL` names another one.",
        CliSettings,
    ),
]

COMPOSE = """## Docker Compose

Compose reads `.env` beside `docker-compose.yml`. A setting of a service that stands there reaches its containers;
addresses and ports are Compose's own. These come on top ([deployment](deployment.md)):

| variable | default | |
|---|---|---|
"""

COMPOSE_SERVICES: dict[str, type[Settings]] = {
    "gateway": GatewaySettings,
    "worker": WorkerSettings,
    "session-service": SessionSettings,
    "embedding-service": EmbeddingSettings,
}
FIXED_BY_COMPOSE = {"DROVER_MODELS_DIR", "REDIS_URL", "DATABASE_URL", "WORKER_ID"}
"""Beside every _HOST, _PORT and _URL of a service."""

CONTAINERS = """
## Kubernetes

Kubernetes gives every pod variables such as `GATEWAY_PORT=tcp://…` for a Service named gateway. Set
`enableServiceLinks: false` in the pods, or the start is refused because the port is not a number.
"""


def default_of(field: FieldInfo) -> str:
    """How the default is written in the environment; secrets have none."""
    value = field.default
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def fields_of(settings: type[Settings]) -> list[tuple[str, FieldInfo]]:
    """(variable, field) of each setting that this class adds to the shared ones."""
    shared = {} if settings is Settings else Settings.model_fields
    own = {name: field for name, field in settings.model_fields.items() if name not in shared or settings is Settings}
    return [(settings.variable_of(name), field) for name, field in own.items()]


def page() -> str:
    """docs/configuration.md."""
    parts = [INTRODUCTION]
    for title, text, settings in SECTIONS:
        rows = [
            f"| `{variable}` | {f'`{default}`' if (default := default_of(field)) else '–'} | {field.description} |"
            for variable, field in fields_of(settings)
        ]
        heading = [f"## {title}\n", *([f"{text}\n"] if text else []), "| variable | default | |", "|---|---|---|"]
        parts.append("\n".join([*heading, *rows, ""]))
    rows = [
        f"| `{name}` | {f'`{default}`' if default else '–'} | {text} |" for name, default, text in COMPOSE_VARIABLES
    ]
    return "\n".join(parts) + "\n" + COMPOSE + "\n".join(rows) + "\n" + CONTAINERS


def example() -> str:
    """.env.example: every setting, commented out, with its default."""
    lines = [
        "# Every setting with its default; docs/configuration.md is the same as a page. Copy to .env and uncomment."
    ]
    seen: set[str] = set()
    for title, _, settings in SECTIONS:
        new = [(variable, field) for variable, field in fields_of(settings) if variable not in seen]
        lines += ["", f"# {title}"]
        for variable, field in new:
            seen.add(variable)
            lines += [f"# {field.description}", f"#{variable}={default_of(field)}"]
    lines += ["", "# Docker Compose: docker-compose.yml, docs/deployment.md"]
    for name, default, text in COMPOSE_VARIABLES:
        lines += [f"# {text}", f"#{name}={default}"]
    return "\n".join(lines) + "\n"


def is_free_in_compose(variable: str) -> bool:
    """Whether .env may set it for a container: addresses there are Compose's own."""
    return variable not in FIXED_BY_COMPOSE and not variable.endswith(("_HOST", "_PORT", "_SERVICE_URL"))


def compose_settings() -> str:
    """deploy/compose/settings.yml: names without values, which Compose takes from .env if they stand there."""
    lines = [
        "# Written by `make configuration`: the settings that each service takes from .env, if they stand there.",
        "services:",
    ]
    for service, settings in COMPOSE_SERVICES.items():
        names = [settings.variable_of(name) for name in settings.model_fields]
        lines += [
            f"  {service}:",
            "    environment:",
            *(f"      - {name}" for name in names if is_free_in_compose(name)),
        ]
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """What should stand in which file."""
    return {
        ROOT / "docs" / "configuration.md": page(),
        ROOT / ".env.example": example(),
        ROOT / "deploy" / "compose" / "settings.yml": compose_settings(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
