"""The named chat templates, for models whose file has none."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "fallbacks"

FALLBACKS: dict[str, str] = {path.stem: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.jinja"))}
"""Jinja source by name."""

FALLBACK_NAMES = frozenset(FALLBACKS)


def choose_template(named: str, embedded: str) -> str:
    """What to give to `render`: the catalogue's `named` template, else the one in the model's file, else chatml."""
    return named or embedded or "chatml"
