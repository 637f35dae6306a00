import pytest

from shared.errors import WorkerLostError
from shared.events import Usage
from shared.ledger import OutboxEntry

FIELDS = {
    "job_id": "j1",
    "tenant_id": "t1",
    "key_id": "k1",
    "model": "tiny",
    "session_id": "",
    "state": "dead",
    "finish_reason": "error",
    "prompt_tokens": "10",
    "completion_tokens": "4",
    "cached_tokens": "0",
    "last_seq": "4",
    "accepted_ms": "1000",
    "finished_ms": "2000",
    "error": '{"message":"é","type":"server_error","param":null,"code":"worker_lost"}',
}


@pytest.mark.parametrize("fields", [FIELDS, {name.encode(): value.encode() for name, value in FIELDS.items()}])
def test_an_entry_is_read_from_bytes_and_from_text(fields: dict[str, str]) -> None:
    entry = OutboxEntry.from_fields(fields)

    assert (entry.job_id, entry.session_id, entry.state, entry.usage) == ("j1", None, "dead", Usage(10, 4, 0))
    assert entry.error is not None
    assert entry.error["code"] == WorkerLostError.code


def test_a_later_version_may_add_fields() -> None:
    assert OutboxEntry.from_fields(FIELDS | {"of_tomorrow": "1"}).job_id == "j1"


def test_an_earlier_version_wrote_no_trace() -> None:
    assert OutboxEntry.from_fields(FIELDS).traceparent == ""
    assert OutboxEntry.from_fields(FIELDS | {"traceparent": "00-1"}).traceparent == "00-1"
