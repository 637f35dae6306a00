"""The tables, as the newest migration leaves them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, MetaData, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Byte order: the ids are time-ordered only where the server compares them byte by byte.
Id = String(64, collation="C")

Json = JSONB(none_as_null=True)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, str]: Json,
        dict[str, Any]: Json,
        list[dict[str, Any]]: Json,
        list[str]: Json,
    }


class TenantTable(Base):
    """Somebody who owns keys and sessions and never sees another tenant's."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKeyTable(Base):
    """One API key. Limits: null takes the service's default, 0 is without limit."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("role IN ('admin', 'user', 'read-only')", name="role"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Id, ForeignKey("tenants.id"), index=True)
    role: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    requests_per_minute: Mapped[int | None]
    tokens_per_minute: Mapped[int | None]
    concurrent_jobs: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SessionTable(Base):
    """One stored conversation. `version` counts the turns begun in it.

    A session of the kind response holds one turn outside every conversation, and is never shown. Where a session was
    forked from is no foreign key: the trail outlives what it leads to.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_tenant_id_id", "tenant_id", "id"),
        CheckConstraint("kind IN ('session', 'response')", name="kind"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Id, ForeignKey("tenants.id"))
    title: Mapped[str | None]
    details: Mapped[dict[str, str]] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    version: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    kind: Mapped[str] = mapped_column(server_default="session")
    forked_from_session_id: Mapped[str | None] = mapped_column(Id)
    forked_from_message_id: Mapped[str | None] = mapped_column(Id)


class TurnTable(Base):
    """New messages and the reply to them; the id is the job's id.

    `request_id` is null once the turn has been given up before its job was accepted: the caller may use the id again.
    `parent_turn_id` is the turn that a turn outside every conversation goes on from. `tool_names` are the tools whose
    calls are looked for in the reply. `request` is whatever its beginner wants back with it.
    """

    __tablename__ = "turns"
    __table_args__ = (
        Index("uq_turns_session_id_request_id", "session_id", "request_id", unique=True),
        Index("uq_turns_session_id_seq", "session_id", "seq", unique=True),
        Index("uq_turns_one_pending", "session_id", unique=True, postgresql_where=text("state = 'pending'")),
        Index("ix_turns_pending_since", "created_at", postgresql_where=text("state = 'pending'")),
        Index("ix_turns_parent_turn_id", "parent_turn_id", postgresql_where=text("parent_turn_id IS NOT NULL")),
        CheckConstraint("state IN ('pending', 'done', 'cancelled', 'failed')", name="state"),
        CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="pending_is_unfinished"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id, ForeignKey("sessions.id", ondelete="CASCADE"))
    seq: Mapped[int]
    request_id: Mapped[str | None]
    body_hash: Mapped[str]
    model: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    prompt_tokens: Mapped[int]
    dropped_messages: Mapped[int]
    dropped_tokens: Mapped[int]
    finish_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    parent_turn_id: Mapped[str | None] = mapped_column(Id, ForeignKey("turns.id", ondelete="SET NULL"))
    tool_names: Mapped[list[str] | None]
    request: Mapped[dict[str, Any] | None]
    details: Mapped[dict[str, str] | None] = mapped_column("metadata")
    error: Mapped[dict[str, Any] | None]


class MessageTable(Base):
    """One message. `position` orders a session's messages; those of its system messages are negative, their turn null.

    `tokens` counts the content alone in the vocabulary of the model of its turn, 0 before a turn has counted it.
    `content` is the whole text; `parts` is the same as it was given, if it was given in parts.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("uq_messages_session_id_position", "session_id", "position", unique=True),
        # One reply per turn. Not unique(turn_id, role): a caller may hand in several messages of one role.
        Index("uq_messages_one_reply", "turn_id", unique=True, postgresql_where=text("is_reply")),
        Index("ix_messages_turn_id", "turn_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str] = mapped_column(Id, ForeignKey("sessions.id", ondelete="CASCADE"))
    turn_id: Mapped[str | None] = mapped_column(Id, ForeignKey("turns.id", ondelete="CASCADE"))
    position: Mapped[int]
    role: Mapped[str]
    name: Mapped[str | None]
    content: Mapped[str]
    tokens: Mapped[int]
    is_reply: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    parts: Mapped[list[dict[str, Any]] | None]
    tool_calls: Mapped[list[dict[str, Any]] | None]
    tool_call_id: Mapped[str | None]


class UsageRecordTable(Base):
    """What one job used; without foreign keys, because it outlives the session and the tenant."""

    __tablename__ = "usage_records"
    __table_args__ = (
        Index("ix_usage_records_tenant_id_created_at", "tenant_id", "created_at"),
        Index("ix_usage_records_session_id", "session_id", postgresql_where=text("session_id IS NOT NULL")),
    )

    job_id: Mapped[str] = mapped_column(Id, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Id)
    key_id: Mapped[str] = mapped_column(Id)
    session_id: Mapped[str | None] = mapped_column(Id)
    model: Mapped[str]
    finish_reason: Mapped[str]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
