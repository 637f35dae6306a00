"""Identifiers: time-ordered, so that newer rows have greater ones, with a prefix where the public sees them."""

import hashlib

import uuid_utils


def new_turn_id() -> str:
    """32 hex digits; a turn's id is its job's id too."""
    return uuid_utils.uuid7().hex


def new_session_id() -> str:
    return f"sess_{uuid_utils.uuid7().hex}"


def session_id_of_request(tenant_id: str, request_id: str) -> str:
    """The session of a turn outside every conversation: one per request, so that the same request finds it again."""
    digest = hashlib.sha256(f"{tenant_id}\x00{request_id}".encode()).hexdigest()
    return f"sess_{digest[:32]}"


def new_message_id() -> str:
    return f"msg_{uuid_utils.uuid7().hex}"


def reply_message_id(turn_id: str) -> str:
    """The message that replies in a turn: a stream of the turn's job names it before it is stored."""
    return f"msg_{turn_id}"


def new_tenant_id() -> str:
    return f"ten_{uuid_utils.uuid7().hex}"
