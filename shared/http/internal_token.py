"""The token that the services show each other."""

import hmac
from collections.abc import Awaitable, Callable

from fastapi import Request
from pydantic import SecretStr

from shared.errors import PermissionDeniedError


def require_internal_token(token: SecretStr) -> Callable[[Request], Awaitable[None]]:
    """A dependency that raises PermissionDeniedError unless the caller shows `token`; without a token nobody may call.

    It is a 403 and not a 401, so that the gateway cannot take it for a client's invalid API key.
    """
    expected = f"Bearer {token.get_secret_value()}".encode()
    is_configured = bool(token.get_secret_value())

    async def check(request: Request) -> None:
        shown = request.headers.get("authorization", "").encode()
        if not (hmac.compare_digest(shown, expected) and is_configured):
            raise PermissionDeniedError(
                "The internal token is missing or wrong; set the same DROVER_INTERNAL_TOKEN for every service."
            )

    return check
