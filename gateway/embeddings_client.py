"""The gateway's calls to the embedding service."""

import httpx

from gateway.upstream import Upstream
from shared.bodies.embeddings import EmbeddingsBody


class EmbeddingsClient:
    """Text to vectors. Raises UnavailableError if the embedding service does not answer."""

    def __init__(self, upstream: Upstream):
        self._upstream = upstream

    async def embed(self, body: EmbeddingsBody) -> httpx.Response:
        """The embedding service's answer, ready to be passed on: with many vectors it is too big to be parsed here."""
        return await self._upstream.call("POST", "/internal/embeddings", body=body, span="embed")
