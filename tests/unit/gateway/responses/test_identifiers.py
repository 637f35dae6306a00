import time

import pytest
import uuid_utils

from gateway.responses import identifiers

HEX = "019aa0c0de007000800000000000c0de"


def test_ids_lead_there_and_back() -> None:
    assert identifiers.turn_id_of(identifiers.response_id(HEX)) == HEX
    assert identifiers.session_id_of(identifiers.conversation_id(f"sess_{HEX}")) == f"sess_{HEX}"
    for item in (f"msg_{HEX}", identifiers.call_item_id(f"msg_{HEX}", 3), identifiers.output_item_id(f"msg_{HEX}")):
        assert identifiers.message_id_of(item) == f"msg_{HEX}"


def test_a_response_knows_from_its_id_when_it_began() -> None:
    assert abs(identifiers.created_at(uuid_utils.uuid7().hex) - time.time()) < 2


@pytest.mark.parametrize(
    "foreign", ["", "resp_", f"{HEX}", f"resp_{HEX}0", f"resp_{HEX.upper()}", f"resp_{HEX}\n", "../x"]
)
def test_what_was_never_an_id_leads_nowhere(foreign: str) -> None:
    assert identifiers.turn_id_of(foreign) is None
    assert identifiers.session_id_of(foreign) is None
    assert identifiers.message_id_of(foreign) is None
