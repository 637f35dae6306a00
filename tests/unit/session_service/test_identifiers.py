"""Identifiers are time-ordered and prefixed."""

import time

from session_service.identifiers import new_message_id, new_session_id, new_turn_id


def test_a_later_id_is_greater() -> None:
    earlier = new_session_id()
    time.sleep(0.002)

    assert new_session_id() > earlier


def test_public_ids_say_what_they_name() -> None:
    assert new_session_id().startswith("sess_")
    assert new_message_id().startswith("msg_")


def test_a_turn_id_is_bare_because_it_is_the_jobs_id() -> None:
    assert len(new_turn_id()) == 32
    assert int(new_turn_id(), 16)
