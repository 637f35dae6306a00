"""What endpoints ask for: the gateway's parts, the caller's identity."""

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer

from gateway.service import Gateway
from shared.bodies.keys import Identity


async def _gateway(request: Request) -> Gateway:  # FastAPI would run a plain function in a thread, and wait for it
    gateway: Gateway = request.app.state.gateway
    return gateway


GatewayParts = Annotated[Gateway, Depends(_gateway)]

_described = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer drv_…`")


async def _identity(
    gateway: GatewayParts, request: Request, _shown: Annotated[object, Depends(_described)]
) -> Identity:
    return await gateway.authenticator.identity(request.headers.get("authorization"))


WhoCalls = Annotated[Identity, Depends(_identity)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key with the same body attaches to the job that the first request started.",
    ),
]
