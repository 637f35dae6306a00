"""Everything that the commands ask of the server, in one place."""

from collections.abc import Sequence
from typing import Any

from cli.client.errors import ApiError
from cli.client.gateways import CALL_TIMEOUT_S, Gateways
from cli.client.generation import Generation, Listener
from cli.client.sessions import Sessions

EMBEDDING_TIMEOUT_S = 600.0
"""A batch of long texts takes a small machine minutes."""


def _silent(said: str) -> None:
    """Nobody listens."""


class Api:
    """The gateways at `urls` (the first is asked first), with one key. Every call raises ApiError, UnreachableError."""

    def __init__(self, urls: list[str], api_key: str, *, timeout_s: float = CALL_TIMEOUT_S):
        self._gateways = Gateways(urls, api_key, timeout_s=timeout_s)
        self.sessions = Sessions(self._gateways)

    def models(self) -> list[dict[str, Any]]:
        """As /v1/models shows them."""
        models: list[dict[str, Any]] = self._gateways.call("GET", "/v1/models").get("data", [])
        return models

    def first_model(self, kind: str) -> str:
        """The first model of that kind in the server's list."""
        for model in self.models():
            if model.get("kind", kind) == kind:
                return str(model["id"])
        raise ApiError(
            f"The server has no model for this: `drover models served` shows what it has ({kind} is needed)."
        )

    def chat(self, body: dict[str, Any], on_waiting: Listener = _silent) -> Generation:
        """A turn of POST /v1/chat/completions."""
        return Generation(self._gateways, "/v1/chat/completions", body, on_waiting)

    def complete(self, body: dict[str, Any], on_waiting: Listener = _silent) -> Generation:
        """A raw completion of POST /v1/completions."""
        return Generation(self._gateways, "/v1/completions", body, on_waiting)

    def embed(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """OpenAI's list of embeddings, in the order of `texts`."""
        body = {"model": model, "input": list(texts)}
        return self._gateways.call("POST", "/v1/embeddings", body, timeout_s=EMBEDDING_TIMEOUT_S)
