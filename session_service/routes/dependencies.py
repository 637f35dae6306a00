"""What the routes are handed: a transaction, the caller's tenant, the parts that live as long as the process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends, Header, Query, Request

from session_service.admission import Admission
from session_service.arrears import Arrears
from session_service.database import Database, Transaction
from session_service.repository.paging import Order, Page
from session_service.settings import SessionSettings
from session_service.token_counter import TokenCounter
from shared.errors import UnavailableError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What `app.state.parts` holds."""

    settings: SessionSettings
    database: Database
    counter: TokenCounter
    arrears: Arrears
    admission: Admission


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
OptionalTenantId = Annotated[str | None, Header(alias="X-Drover-Tenant", min_length=1)]


async def _settled_session(session_id: str, tenant_id: TenantId, parts: PartsOfApp) -> None:
    await _settle(parts, tenant_id, session_id=session_id)


async def _settled_turn(turn_id: str, tenant_id: TenantId, parts: PartsOfApp) -> None:
    await _settle(parts, tenant_id, turn_id=turn_id)


async def _settle(parts: Parts, tenant_id: str, *, session_id: str | None = None, turn_id: str | None = None) -> None:
    try:
        await parts.arrears.settle(tenant_id, session_id=session_id, turn_id=turn_id)
    except UnavailableError as error:
        _log.warning("read_without_arrears", reason=error.message)  # what is stored can be read all the same


# Before the route's own transaction begins: what has ended is there to be read, however far behind the outbox is.
SettledSession = Depends(_settled_session)
SettledTurn = Depends(_settled_turn)

After = Annotated[str | None, Query(description="the last id of the page before")]
Before = Annotated[str | None, Query(description="the first id of the page after")]
Limit = Annotated[int, Query(ge=1, le=100)]
MessageLimit = Annotated[int, Query(ge=1, le=200)]  # a page of a hundred items may need one message more
Inclusive = Annotated[bool, Query(description="the entry at the cursor comes too")]


def _newest_first(after: After = None, before: Before = None, limit: Limit = 20, order: Order = "desc") -> Page:
    return Page(limit, order, after, before)


def _oldest_first(
    after: After = None,
    before: Before = None,
    limit: MessageLimit = 50,
    order: Order = "asc",
    inclusive: Inclusive = False,
) -> Page:
    return Page(limit, order, after, before, inclusive)


NewestFirst = Annotated[Page, Depends(_newest_first)]
OldestFirst = Annotated[Page, Depends(_oldest_first)]
