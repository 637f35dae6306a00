"""Results of tools belong to calls: a model that is told a result of nothing makes up what was asked."""

from collections.abc import Sequence

from session_service.database import Transaction
from session_service.repository.history import History
from shared.bodies.messages import Message
from shared.errors import BadRequestError


async def check_results(tx: Transaction, told: History | None, messages: Sequence[Message]) -> None:
    """Raises BadRequestError for a result among the new `messages` whose call stands neither before it nor in `told`.

    Only turns that ended well are told in a session: a call that was cut short there is none.
    """
    unknown = _without_call(messages)
    if unknown and told is not None:
        known = {call.id for call in await told.calls(tx)}
        unknown = [call_id for call_id in unknown if call_id not in known]
    if unknown:
        raise BadRequestError(f"No call with the id '{unknown[0]}' comes before its result.", param="messages")


def _without_call(messages: Sequence[Message]) -> list[str]:
    """The ids of calls that results among `messages` answer, but no message before them asks for."""
    asked: set[str] = set()
    unknown = []
    for message in messages:
        asked.update(call.id for call in message.tool_calls or ())
        if message.role == "tool" and message.tool_call_id is not None and message.tool_call_id not in asked:
            unknown.append(message.tool_call_id)
    return unknown
