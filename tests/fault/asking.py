"""One plain request to a gateway: its answer whatever it is, and how long it took."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """`status` 0: the connection was closed or nothing came in time. Names of headers are in small letters."""

    status: int
    took_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str,
    method: str,
    path: str,
    body: bytes | Mapping[str, Any] | None = None,
    *,
    key: str = "",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> Answer:
    """Send it on a connection of its own. A mapping is sent as JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    sent = json.dumps(body).encode() if isinstance(body, Mapping) else body
    named = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    begun = time.monotonic()
    try:
        connection.request(method, path, sent, {**named, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, time.monotonic() - begun, found, content)
    except (OSError, http.client.HTTPException):
        return Answer(0, time.monotonic() - begun)
    finally:
        connection.close()
