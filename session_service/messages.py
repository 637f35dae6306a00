"""The messages of a stored conversation: list, read, add, delete."""

from collections.abc import Sequence

from session_service.database import Transaction
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository import turns as turn_rows
from session_service.repository.messages import MessageOfTurn
from session_service.repository.paging import Found, Page
from session_service.repository.sessions import SHOWN
from session_service.sessions import require_session
from session_service.truncation import CountedMessage
from session_service.views import message_body
from shared.bodies.messages import Message
from shared.bodies.sessions import DeletedBody
from shared.bodies.stored_messages import StoredMessageBody, StoredMessageListBody
from shared.errors import NotFoundError, SessionBusyError, SessionNotFoundError


async def list_messages(tx: Transaction, tenant_id: str, session_id: str, page: Page) -> StoredMessageListBody:
    """The session's messages, the system messages before all others.

    Raises SessionNotFoundError, NotFoundError for a cursor that is not there.
    """
    await require_session(tx, tenant_id, session_id)
    return message_list_body(await message_rows.list_messages(tx, tenant_id, session_id, page))


async def get_message(tx: Transaction, tenant_id: str, session_id: str, message_id: str) -> StoredMessageBody:
    """Raises SessionNotFoundError, NotFoundError."""
    await require_session(tx, tenant_id, session_id)
    return message_body(await _found(tx, tenant_id, session_id, message_id))


async def append_messages(
    tx: Transaction, tenant_id: str, session_id: str, messages: Sequence[Message]
) -> StoredMessageListBody:
    """Add messages that no turn made. Raises SessionNotFoundError, SessionBusyError."""
    await _lock_free(tx, tenant_id, session_id)
    said = [CountedMessage(message, 0) for message in messages]
    rows = await message_rows.append(tx, tenant_id, session_id, None, said)
    await session_rows.touch_session(tx, tenant_id, session_id)
    for row in rows:
        await tx.refresh(row)  # the times are the server's
    return message_list_body(Found([MessageOfTurn(row, None, None) for row in rows], has_more=False))


async def delete_message(tx: Transaction, tenant_id: str, session_id: str, message_id: str) -> DeletedBody:
    """Take one message out of the session. Raises SessionNotFoundError, NotFoundError, SessionBusyError."""
    await _lock_free(tx, tenant_id, session_id)
    await _found(tx, tenant_id, session_id, message_id)
    await message_rows.delete_message(tx, tenant_id, session_id, message_id)
    await session_rows.touch_session(tx, tenant_id, session_id)
    return DeletedBody(id=message_id, object="session.message.deleted")


def message_list_body(found: Found[MessageOfTurn]) -> StoredMessageListBody:
    data = [message_body(entry) for entry in found.entries]
    return StoredMessageListBody(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=found.has_more,
    )


async def _lock_free(tx: Transaction, tenant_id: str, session_id: str) -> None:
    if await session_rows.lock_session(tx, tenant_id, session_id, kind=SHOWN) is None:
        raise SessionNotFoundError()
    if await turn_rows.find_pending(tx, tenant_id, session_id=session_id, turn_id=None) is not None:
        raise SessionBusyError()


async def _found(tx: Transaction, tenant_id: str, session_id: str, message_id: str) -> MessageOfTurn:
    found = await message_rows.find_message(tx, tenant_id, session_id, message_id)
    if found is None:
        raise NotFoundError("The session has no such message.", param="message_id")
    return found
