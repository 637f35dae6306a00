"""What the routes are handed: a transaction, the caller's tenant, the parts that live as long as the process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from session_service.database import Database, Transaction
from session_service.settings import SessionSettings
from session_service.token_counter import TokenCounter


@dataclass(frozen=True, slots=True)
class Parts:
    """What `app.state.parts` holds."""

    settings: SessionSettings
    database: Database
    counter: TokenCounter


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsOfApp = Annotated[Parts, Depends(_parts)]


async def _transaction(parts: PartsOfApp) -> AsyncIterator[Transaction]:
    async with parts.database.transaction() as opened:
        yield opened


# scope="function": committed before the answer is sent, so that a failed commit is never answered with 200.
InTransaction = Annotated[Transaction, Depends(_transaction, scope="function")]
TenantId = Annotated[str, Header(alias="X-Drover-Tenant", min_length=1)]
