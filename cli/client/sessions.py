"""/v1/sessions as calls, with ids that may be cut short."""

import json
from collections.abc import Iterator
from typing import Any

from cli.client.errors import ApiError
from cli.client.gateways import Gateways

PAGE = 100
SEARCHED = 2000
"""How many of the newest sessions are looked through for the beginning of an id."""
NEWEST = "last"

Fields = dict[str, Any]


class Sessions:
    """The sessions of the key's tenant. Every call raises ApiError and UnreachableError."""

    def __init__(self, gateways: Gateways):
        self._gateways = gateways

    def create(self, *, title: str | None = None, system: str | None = None) -> str:
        """The new session's id."""
        given = {"title": title, "system": system}
        body = {name: value for name, value in given.items() if value is not None}
        return str(self._gateways.call("POST", "/v1/sessions", body)["id"])

    def get(self, session_id: str) -> Fields:
        return self._gateways.call("GET", f"/v1/sessions/{session_id}")

    def rename(self, session_id: str, title: str) -> Fields:
        return self._gateways.call("PATCH", f"/v1/sessions/{session_id}", {"title": title})

    def delete(self, session_id: str) -> None:
        self._gateways.call("DELETE", f"/v1/sessions/{session_id}")

    def fork(self, session_id: str, message_id: str, *, is_before: bool, title: str | None = None) -> Fields:
        """A new session with the history up to the message; with `is_before` up to the one before it."""
        body = {"message_id": message_id, "inclusive": not is_before, **({"title": title} if title else {})}
        return self._gateways.call("POST", f"/v1/sessions/{session_id}/fork", body)

    def newest(self, limit: int | None = None) -> Iterator[Fields]:
        """Newest first, `limit` of them."""
        return self._all("/v1/sessions", limit, {})

    def messages(self, session_id: str, *, is_newest_first: bool = False) -> Iterator[Fields]:
        order = {"order": "desc" if is_newest_first else "asc"}
        return self._all(f"/v1/sessions/{session_id}/messages", None, order)

    def export(self, session_id: str) -> Iterator[bytes]:
        """The session and its messages as JSON lines."""
        with self._gateways.download(f"/v1/sessions/{session_id}/export") as pieces:
            rest = b""
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    content = json.loads(line)
                    if content["object"] == "error":  # the server could not read it to its end
                        raise ApiError(content["error"]["message"])
                    yield line + b"\n"

    def find(self, words: str) -> str:
        """The id of the session that `words` mean: an id, the beginning or the end of one, or 'last'."""
        wanted = words.removeprefix("sess_")
        if len(wanted) == 32:
            return str(self.get(f"sess_{wanted}")["id"])
        if not wanted:
            raise ApiError("A session is named by its id, the beginning or the end of it, or 'last'.")
        ids = [str(session["id"]) for session in self.newest(1 if words == NEWEST else SEARCHED)]
        found = ids if words == NEWEST else [each for each in ids if _is_part(wanted, each)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ApiError(f"{len(found)} sessions' ids begin or end with '{words}': give more of it.")
        raise ApiError(f"There is no session '{words}': `drover sessions list` shows which there are.")

    def _all(self, path: str, limit: int | None, params: dict[str, str]) -> Iterator[Fields]:
        left = limit
        after: dict[str, str] = {}
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self._gateways.call("GET", path, params={**params, **after, "limit": str(size)})
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"after": str(page["last_id"])}
            left = None if left is None else left - len(page["data"])


def _is_part(wanted: str, session_id: str) -> bool:
    """Ids of one afternoon begin alike, so that their ends tell them apart better."""
    bare = session_id.removeprefix("sess_")
    return bare.startswith(wanted) or bare.endswith(wanted)
