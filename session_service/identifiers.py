"""Identifiers: time-ordered, so that newer rows have greater ones, with a prefix where the public sees them."""

import uuid_utils


def new_turn_id() -> str:
    """32 hex digits; a turn's id is its job's id too."""
    return uuid_utils.uuid7().hex


def new_session_id() -> str:
    return f"sess_{uuid_utils.uuid7().hex}"


def new_message_id() -> str:
    return f"msg_{uuid_utils.uuid7().hex}"


def new_tenant_id() -> str:
    return f"ten_{uuid_utils.uuid7().hex}"
