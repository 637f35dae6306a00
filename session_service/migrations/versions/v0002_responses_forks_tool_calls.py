"""Turns outside conversations, forks, tool calls. The version before this one goes on working: all is added."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

ID = sa.String(64, collation="C")

COLUMNS: dict[str, dict[str, Any]] = {
    "sessions": {"forked_from_session_id": ID, "forked_from_message_id": ID},
    "turns": {
        "parent_turn_id": ID,
        "tool_names": postgresql.JSONB,
        "request": postgresql.JSONB,
        "metadata": postgresql.JSONB,
        "error": postgresql.JSONB,
    },
    "messages": {"parts": postgresql.JSONB, "tool_calls": postgresql.JSONB, "tool_call_id": sa.Text},
}
INDEXES = {
    "ix_turns_parent_turn_id": ("turns", "parent_turn_id"),
    "ix_usage_records_session_id": ("usage_records", "session_id"),
}


def upgrade() -> None:
    op.add_column("sessions", sa.Column("kind", sa.Text, server_default="session", nullable=False))
    for table, columns in COLUMNS.items():
        for column_name, kind in columns.items():
            op.add_column(table, sa.Column(column_name, kind))
    op.create_check_constraint(op.f("ck_sessions_kind"), "sessions", "kind IN ('session', 'response')")
    op.create_foreign_key("fk_turns_parent_turn_id", "turns", "turns", ["parent_turn_id"], ["id"], ondelete="SET NULL")
    for name, (table, column_name) in INDEXES.items():
        op.create_index(name, table, [column_name], postgresql_where=sa.text(f"{column_name} IS NOT NULL"))


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
    op.drop_constraint("fk_turns_parent_turn_id", "turns", type_="foreignkey")
    op.drop_constraint(op.f("ck_sessions_kind"), "sessions", type_="check")
    for table, columns in COLUMNS.items():
        for column_name in columns:
            op.drop_column(table, column_name)
    op.drop_column("sessions", "kind")
