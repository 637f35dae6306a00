"""Statements about the history of a turn: which messages its prompt may draw on."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Subquery, and_, func, literal, or_, select
from sqlalchemy.orm import aliased

from session_service.database import Transaction
from session_service.repository.messages import FIRST_POSITION, counted
from session_service.repository.sessions import SHOWN
from session_service.tables import MessageTable, SessionTable, TurnTable
from session_service.truncation import SYSTEM_ROLES, CountedMessage
from shared.bodies.messages import ToolCall


@dataclass(frozen=True, slots=True)
class Totals:
    """All messages of a history, system messages left out."""

    messages: int
    tokens: int


@dataclass(frozen=True, slots=True)
class History:
    """A selection of messages: their ids, and how they are ordered: from the greatest depth, by position."""

    selected: Subquery

    async def totals(self, tx: Transaction) -> Totals:
        statement = (
            select(func.count(), func.coalesce(func.sum(MessageTable.tokens), 0))
            .join(self.selected, self.selected.c.id == MessageTable.id)
            .where(MessageTable.role.not_in(SYSTEM_ROLES))
        )
        return Totals(*(await tx.execute(statement)).one())

    async def calls(self, tx: Transaction) -> list[ToolCall]:
        """Every call that its assistant messages ask for."""
        statement = (
            select(MessageTable.tool_calls)
            .join(self.selected, self.selected.c.id == MessageTable.id)
            .where(MessageTable.role == "assistant")
        )
        return [ToolCall.model_validate(call) for calls in await tx.scalars(statement) for call in calls or ()]

    async def newest(self, tx: Transaction, tokens: int) -> list[CountedMessage]:
        """The newest messages, oldest first: as many as hold `tokens` together, one more, and every system message."""
        line = self.selected.c
        # A message that nobody has counted yet counts as one token, so that no number of them is without end.
        cost = func.greatest(MessageTable.tokens, 1)
        newer = func.sum(cost).over(order_by=(line.depth.asc(), line.position.desc())) - cost
        ranked = (
            select(MessageTable.id, line.depth, newer.label("newer_tokens"))
            .join(self.selected, line.id == MessageTable.id)
            .subquery()
        )
        statement = (
            select(MessageTable)
            .join(ranked, ranked.c.id == MessageTable.id)
            .where(or_(ranked.c.newer_tokens <= tokens, MessageTable.role.in_(SYSTEM_ROLES)))
            .order_by(ranked.c.depth.desc(), MessageTable.position)
        )
        return [counted(row) for row in await tx.scalars(statement)]


def of_session(tenant_id: str, session_id: str) -> History:
    """The session's messages but for those before all others and those of turns that did not end well."""
    return History(
        select(MessageTable.id, literal(0).label("depth"), MessageTable.position)
        .outerjoin(TurnTable, TurnTable.id == MessageTable.turn_id)
        .where(
            MessageTable.tenant_id == tenant_id,
            MessageTable.session_id == session_id,
            MessageTable.position >= FIRST_POSITION,
            _is_told(),
        )
        .subquery()
    )


def of_turn(tenant_id: str, turn_id: str) -> History:
    """The messages of the turn, of the turn that it goes on from, and so on to the first.

    A turn is here because somebody named it, so its messages are all taken, however it ended. If the first one belongs
    to a conversation, what that held before it comes too.
    """
    links = (
        select(TurnTable.id, TurnTable.parent_turn_id, TurnTable.session_id, literal(0).label("depth"))
        .where(TurnTable.tenant_id == tenant_id, TurnTable.id == turn_id)
        .cte("links", recursive=True)
    )
    links = links.union_all(
        select(TurnTable.id, TurnTable.parent_turn_id, TurnTable.session_id, links.c.depth + 1)
        .join(links, TurnTable.id == links.c.parent_turn_id)
        .where(TurnTable.tenant_id == tenant_id)
    )
    own = select(MessageTable.id, links.c.depth, MessageTable.position).join(links, links.c.id == MessageTable.turn_id)
    of_link = aliased(MessageTable)
    last_position = (
        select(func.max(of_link.position)).where(of_link.turn_id == links.c.id).correlate(links).scalar_subquery()
    )
    earlier = (
        select(MessageTable.id, links.c.depth, MessageTable.position)
        .join(links, links.c.session_id == MessageTable.session_id)
        .join(SessionTable, and_(SessionTable.id == links.c.session_id, SessionTable.kind == SHOWN))
        .outerjoin(TurnTable, TurnTable.id == MessageTable.turn_id)
        .where(
            MessageTable.turn_id.is_distinct_from(links.c.id),
            MessageTable.position < last_position,
            _is_told(),
        )
    )
    return History(own.union_all(earlier).subquery())


def _is_told() -> ColumnElement[bool]:
    return or_(MessageTable.turn_id.is_(None), TurnTable.state == "done")
