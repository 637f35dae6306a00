"""First tables: tenants, API keys, sessions, turns, messages, usage records."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

ID = sa.String(64, collation="C")
IS_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    _tenants()
    _api_keys()
    _sessions()
    _turns()
    _messages()
    _usage_records()


def downgrade() -> None:
    for table in ("usage_records", "messages", "turns", "sessions", "api_keys", "tenants"):
        op.drop_table(table)


def _time(name: str, *, is_set_by_server: bool = True) -> "sa.Column[object]":
    default = sa.text("now()") if is_set_by_server else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not is_set_by_server)


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
        sa.UniqueConstraint("name", name="uq_tenants_name"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("tokens_per_minute", sa.Integer),
        sa.Column("concurrent_jobs", sa.Integer),
        _time("created_at"),
        _time("expires_at", is_set_by_server=False),
        _time("revoked_at", is_set_by_server=False),
        sa.CheckConstraint("role IN ('admin', 'user', 'read-only')", name=op.f("ck_api_keys_role")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_api_keys_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant_id"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("metadata", postgresql.JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("version", sa.Integer, server_default=sa.text("0"), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_sessions_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_tenant_id_id", "sessions", ["tenant_id", "id"])


def _turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("body_hash", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("state", sa.Text, server_default="pending", nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("dropped_messages", sa.Integer, nullable=False),
        sa.Column("dropped_tokens", sa.Integer, nullable=False),
        sa.Column("finish_reason", sa.Text),
        _time("created_at"),
        _time("finished_at", is_set_by_server=False),
        sa.CheckConstraint("state IN ('pending', 'done', 'cancelled', 'failed')", name=op.f("ck_turns_state")),
        sa.CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name=op.f("ck_turns_pending_is_unfinished")),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_turns_session_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
    )
    op.create_index("uq_turns_session_id_request_id", "turns", ["session_id", "request_id"], unique=True)
    op.create_index("uq_turns_session_id_seq", "turns", ["session_id", "seq"], unique=True)
    op.create_index("uq_turns_one_pending", "turns", ["session_id"], unique=True, postgresql_where=IS_PENDING)
    op.create_index("ix_turns_pending_since", "turns", ["created_at"], postgresql_where=IS_PENDING)


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("turn_id", ID),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("is_reply", sa.Boolean, server_default=sa.text("false"), nullable=False),
        _time("created_at"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_messages_session_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_messages_turn_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    op.create_index("uq_messages_session_id_position", "messages", ["session_id", "position"], unique=True)
    op.create_index("uq_messages_one_reply", "messages", ["turn_id"], unique=True, postgresql_where=sa.text("is_reply"))
    op.create_index("ix_messages_turn_id", "messages", ["turn_id"])


def _usage_records() -> None:
    op.create_table(
        "usage_records",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("session_id", ID),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("finish_reason", sa.Text, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("cached_tokens", sa.Integer, nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("job_id", name="pk_usage_records"),
    )
    op.create_index("ix_usage_records_tenant_id_created_at", "usage_records", ["tenant_id", "created_at"])
