"""Who calls: from a Bearer key to an identity, by the session service and a short memory of its answers."""

import asyncio
import hashlib

from cachetools import TTLCache

from gateway.sessions_client import SessionsClient
from shared.bodies.keys import Identity
from shared.errors import AuthenticationError, PermissionDeniedError

CACHE_ENTRIES = 10_000


class Authenticator:
    """Remembers identities by the hash of their key; the key itself is neither kept nor logged.

    It fails closed: without the session service only keys that are remembered get in.
    """

    def __init__(self, sessions: SessionsClient, *, ttl_s: float, refused_ttl_s: float):
        self._sessions = sessions
        self._known: TTLCache[bytes, Identity] = TTLCache(CACHE_ENTRIES, ttl_s)
        self._refused: TTLCache[bytes, str] = TTLCache(CACHE_ENTRIES, refused_ttl_s)
        self._checking: dict[bytes, asyncio.Task[Identity]] = {}

    async def identity(self, authorization: str | None) -> Identity:
        """The caller behind an Authorization header.

        Raises AuthenticationError, and UnavailableError when the key is not remembered and nobody can check it.
        """
        scheme, _, api_key = (authorization or "").partition(" ")
        api_key = api_key.strip()
        if scheme.lower() != "bearer" or not api_key:
            raise AuthenticationError()
        digest = hashlib.sha256(api_key.encode()).digest()
        if (known := self._known.get(digest)) is not None:
            return known
        if (refusal := self._refused.get(digest)) is not None:
            raise AuthenticationError(refusal)
        checking = self._checking.get(digest)
        if checking is None:  # a burst of requests with one new key asks the session service once
            checking = self._checking[digest] = asyncio.create_task(self._check(digest, api_key))
            checking.add_done_callback(lambda _: self._checking.pop(digest, None))
        return await asyncio.shield(checking)

    async def _check(self, digest: bytes, api_key: str) -> Identity:
        try:
            identity = await self._sessions.verify_key(api_key)
        except AuthenticationError as error:
            self._refused[digest] = error.message
            raise
        self._known[digest] = identity
        return identity


def require_writer(identity: Identity) -> None:
    """Raises PermissionDeniedError for a key that may only read."""
    if identity.role == "read-only":
        raise PermissionDeniedError()
