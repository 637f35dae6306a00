"""A session's id in a path: as callers give it, and as it is passed on."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Path

SessionId = Annotated[str, Path(max_length=128)]


def path_of(session_id: str) -> str:
    """What follows /sessions; nothing in the id can lead to another address."""
    return f"/{quote(session_id, safe='')}"
